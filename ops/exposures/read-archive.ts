// Reads the archive of exposures through the worker: the lines of each object.
import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import { ARCHIVE_PATH, type ArchivedExposure, listingSchema } from '../../shared/domain/experiments/archive.ts';
import { LISTENER_AUDIENCE } from '../../shared/domain/identity.ts';
import { systemClock } from '../../shared/runtime/clock.ts';
import { type ConnectionFlags, findTargetCloud } from '../cli/settings.ts';
import { UsageError } from '../cli/usage-error.ts';
import { mintToken } from '../token/mint-token.ts';
import { type ArchiveClient, type ArchiveTarget, createArchiveClient } from './archive-client.ts';
import { mapInOrder } from './map-in-order.ts';
import { parseExposure } from './parse-exposure.ts';

export interface ArchiveFlags extends ConnectionFlags {
  /** Base URL of the worker. */
  readonly edge?: string;
}

/** Objects that are read at a time. */
const CONCURRENCY = 8;
const TOKEN_LIFETIME_MS = 3_600_000;

/** `--edge` with EARSHOT_TOKEN, or the local cloud. Throws a UsageError without either. */
export async function findArchive(flags: ArchiveFlags): Promise<ArchiveTarget> {
  const { EARSHOT_TOKEN: token, EARSHOT_EDGE_URL: configured } = process.env;
  const edge = flags.edge ?? configured;
  if (edge !== undefined) {
    if (token === undefined || token === '')
      throw new UsageError('expected EARSHOT_TOKEN to be a token with the scope recs:exposures, beside --edge');
    if (!URL.canParse(edge)) throw new UsageError(`expected --edge to be a URL, got ${JSON.stringify(edge)}`);
    return { url: edge.replace(/\/+$/, ''), token };
  }
  const local = findTargetCloud(flags);
  if (local === undefined)
    throw new UsageError(
      'expected --edge with EARSHOT_TOKEN, or a local cloud of this directory: start one with `npm start`',
    );
  const claims = { user: 'service:exposures', scope: ['recs:exposures' as const], audience: LISTENER_AUDIENCE };
  return { url: local.edgeUrl, token: await mintToken({ ...claims, expires: TOKEN_LIFETIME_MS }, local.tokenSecret) };
}

/**
 * The exposures of the span in the order of their hours, and in no order within an hour. One that was reported several
 * times may stand there several times. Throws an Error if an object cannot be read: an export is whole or fails.
 */
export async function* readArchive(
  target: ArchiveTarget,
  { sinceMs, untilMs }: { readonly sinceMs: number; readonly untilMs: number },
): AsyncGenerator<ArchivedExposure> {
  const client = createArchiveClient(target, { fetch, clock: systemClock, random: Math.random });
  const names = namesOf(client, hourOf(sinceMs), hourOf(untilMs));
  try {
    for await (const exposures of mapInOrder(names, CONCURRENCY, (name) => readObject(client, name)))
      for (const exposure of exposures) if (exposure.atMs >= sinceMs && exposure.atMs < untilMs) yield exposure;
  } finally {
    client.close();
  }
}

/** `2026-11-30T09`, the folder of an object. */
const hourOf = (atMs: number): string => new Date(atMs).toISOString().slice(0, 13);

/** In the order of their hours, both included. */
async function* namesOf(client: ArchiveClient, first: string, last: string): AsyncGenerator<string> {
  let cursor: string | undefined;
  do {
    const query = new URLSearchParams({ since: first, ...(cursor === undefined ? {} : { cursor }) });
    const path = `${ARCHIVE_PATH}?${query}`;
    const listing = parseListing(path, await client.get(path));
    for (const name of listing.names) {
      if (name.slice(0, last.length) > last) return;
      yield name;
    }
    cursor = listing.cursor;
  } while (cursor !== undefined);
}

function parseListing(path: string, body: Buffer) {
  try {
    return listingSchema.parse(JSON.parse(body.toString()));
  } catch (error) {
    throw new Error(`expected the edge to answer ${path} with a listing, got another text`, { cause: error });
  }
}

async function readObject(client: ArchiveClient, name: string): Promise<ArchivedExposure[]> {
  const text = await unzip(name, await client.get(`${ARCHIVE_PATH}/${name}`));
  return text.split('\n').flatMap((line, i) => (line.trim() === '' ? [] : [parseExposure(line, `${name}:${i + 1}`)]));
}

async function unzip(name: string, bytes: Buffer): Promise<string> {
  try {
    return (await promisify(gunzip)(bytes)).toString();
  } catch (error) {
    throw new Error(`${name} is no gzipped text: ${(error as Error).message}`);
  }
}
