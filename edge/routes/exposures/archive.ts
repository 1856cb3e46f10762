// `GET /internal/v1/exposures`: the archive of exposures for an export. It needs the scope recs:exposures.
import { z } from '@hono/zod-openapi';
import type { Context } from 'hono';
import { EarshotError } from '../../../shared/wire/errors.ts';
import type { EdgeDeps } from '../../deps.ts';
import { ARCHIVE_PREFIX, OBJECT_NAME_PATTERN } from '../../exposures/archive.ts';
import { requireScope } from '../../identity/access.ts';
import { everyAnswer } from '../../respond/every-answer.ts';
import type { Caller } from '../caller.ts';
import { expectedOnce, patterned } from '../expected.ts';
import { createRequestReader } from '../validation.ts';

type ArchiveDeps = Pick<EdgeDeps, 'archive' | 'limits'>;

const HOUR_PATTERN = /^\d{4}-\d\d-\d\dT\d\d$/;
const hourAs = (name: string) => patterned(HOUR_PATTERN, expectedOnce(name, 'an hour such as 2026-11-30T09'));

const readListing = createRequestReader({
  query: z.strictObject({
    since: hourAs('since').optional(),
    cursor: patterned(/^[\x21-\x7e]{1,2048}$/, expectedOnce('cursor', 'the cursor of an answer')).optional(),
  }),
  params: z.object({}),
});

const readObject = createRequestReader({
  query: z.strictObject({}),
  params: z.object({
    hour: hourAs('hour'),
    name: patterned(OBJECT_NAME_PATTERN, expectedOnce('name', 'the name of an object')),
  }),
});

/** The names of the objects from an hour on, in their order, and a cursor if there are more. */
export async function listArchive(deps: ArchiveDeps, c: Context, caller: Caller): Promise<Response> {
  const archive = openArchive(deps, caller);
  const { query } = readListing(c.req);
  const { since, cursor } = query;
  if (since === undefined) throw new EarshotError('invalid_request', 'edge', 'expected since once, got none');
  // No key is the hour alone, so the first object of the hour comes after it.
  const from = cursor === undefined ? { startAfter: `${ARCHIVE_PREFIX}${since}` } : { cursor };
  const {
    objects,
    truncated,
    cursor: next,
  } = await askArchive(() => archive.list({ prefix: ARCHIVE_PREFIX, ...from }), cursor);
  const names = objects.map(({ key }) => key.slice(ARCHIVE_PREFIX.length));
  return Response.json({ names, ...(truncated ? { cursor: next } : {}) }, { headers: headersOf(caller) });
}

/** One object: gzipped NDJSON. */
export async function sendArchived(deps: ArchiveDeps, c: Context, caller: Caller): Promise<Response> {
  const archive = openArchive(deps, caller);
  const { params } = readObject(c.req);
  const found = await askArchive(() => archive.get(`${ARCHIVE_PREFIX}${params.hour}/${params.name}`));
  if (found === null)
    throw new EarshotError('not_found', 'edge', `there is no object ${params.name} in ${params.hour}`);
  return new Response(found.body, { headers: { ...headersOf(caller), 'Content-Type': 'application/gzip' } });
}

/** Throws `forbidden` without the scope, `rate_limited`, and `not_found` without an archive. */
function openArchive({ archive, limits }: ArchiveDeps, { identity }: Caller): NonNullable<EdgeDeps['archive']> {
  limits.admit(identity, 1);
  requireScope(identity, 'recs:exposures');
  if (archive === undefined) throw new EarshotError('not_found', 'edge', 'exposures are not archived here');
  return archive;
}

/** Throws `invalid_request` for a cursor that R2 refuses, and `unavailable` if R2 fails. */
async function askArchive<T>(ask: () => Promise<T>, cursor?: string): Promise<T> {
  try {
    return await ask();
  } catch (error) {
    if (cursor !== undefined && isRefusedCursor(error))
      throw new EarshotError('invalid_request', 'edge', 'expected cursor to be the cursor of an answer');
    throw new EarshotError('unavailable', 'edge', 'the archive failed', { cause: error });
  }
}

/** R2's errors end with a code: 10029 is an argument that is not valid. The others of a listing are constants. */
const isRefusedCursor = (error: unknown): boolean =>
  error instanceof Error && /\(10029\)$|\bcursor\b|\bcontinuation token\b/i.test(error.message);

const headersOf = ({ requestId }: Caller) => ({ ...everyAnswer(requestId), 'Cache-Control': 'no-store' });
