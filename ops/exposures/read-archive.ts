// Reads the archive of exposures through the worker: the lines of each object, without doubles.
import { gunzipSync } from 'node:zlib';
import {
  ARCHIVE_PATH,
  type ArchivedExposure,
  archivedExposureSchema,
  listingSchema,
} from '../../shared/domain/experiments/archive.ts';
import { LISTENER_AUDIENCE } from '../../shared/domain/identity.ts';
import { type ConnectionFlags, findTargetCloud } from '../cli/settings.ts';
import { UsageError } from '../cli/usage-error.ts';
import { mintToken } from '../token/mint-token.ts';

export interface ArchiveFlags extends ConnectionFlags {
  /** Base URL of the worker. */
  readonly edge?: string;
}

export interface ArchiveTarget {
  readonly url: string;
  readonly token: string;
}

const TIMEOUT_MS = 60_000;
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

/** Every exposure once, in no order. Throws an Error if an object cannot be read: an export is whole or fails. */
export async function* readArchive(
  target: ArchiveTarget,
  { sinceMs, untilMs }: { readonly sinceMs: number; readonly untilMs: number },
): AsyncGenerator<ArchivedExposure> {
  const seen = new Set<string>();
  const last = hourOf(untilMs);
  for await (const name of namesOf(target, hourOf(sinceMs))) {
    if (name.slice(0, last.length) > last) return;
    for (const exposure of await readObject(target, name)) {
      if (exposure.atMs < sinceMs || exposure.atMs >= untilMs || seen.has(exposure.id)) continue;
      seen.add(exposure.id);
      yield exposure;
    }
  }
}

/** `2026-11-30T09`, the folder of an object. */
const hourOf = (atMs: number): string => new Date(atMs).toISOString().slice(0, 13);

/** In the order of their hours. */
async function* namesOf(target: ArchiveTarget, since: string): AsyncGenerator<string> {
  let cursor: string | undefined;
  do {
    const query = new URLSearchParams({ since, ...(cursor === undefined ? {} : { cursor }) });
    const answer = await get(target, `${ARCHIVE_PATH}?${query}`);
    const listing = listingSchema.parse(await answer.json());
    yield* listing.names;
    cursor = listing.cursor;
  } while (cursor !== undefined);
}

async function readObject(target: ArchiveTarget, name: string): Promise<ArchivedExposure[]> {
  const answer = await get(target, `${ARCHIVE_PATH}/${name}`);
  const lines = gunzipSync(Buffer.from(await answer.arrayBuffer()))
    .toString()
    .trimEnd()
    .split('\n');
  return lines.map((line, i) => {
    const parsed = archivedExposureSchema.safeParse(JSON.parse(line));
    if (parsed.success) return parsed.data;
    throw new Error(`${name}:${i + 1} is no exposure: ${parsed.error.issues[0]?.message}`);
  });
}

async function get({ url, token }: ArchiveTarget, path: string): Promise<Response> {
  const headers = { authorization: `Bearer ${token}` };
  const answer = await fetch(`${url}${path}`, { headers, signal: AbortSignal.timeout(TIMEOUT_MS) });
  if (answer.ok) return answer;
  throw new Error(`the edge answered ${path} with status ${answer.status}: ${(await answer.text()).slice(0, 200)}`);
}
