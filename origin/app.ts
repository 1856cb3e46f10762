// The origin's HTTP interface: what the edge calls, and what whoever runs the process asks.
import { Hono } from 'hono';
import { bodyLimit } from 'hono/body-limit';
import type { Logger } from 'pino';
import { z } from 'zod';
import type { Clock } from '../shared/clock.ts';
import type { Counters } from '../shared/counters.ts';
import { EarshotError, type ErrorCode, problemOf, toEarshotError } from '../shared/errors.ts';
import { encodeListFrames, LIST_FRAMES_TYPE } from '../shared/list-frames.ts';
import { DEADLINE_HEADER, LISTS_READ_PATH, listsReadSchema, MANIFEST_PATH } from '../shared/lists-read.ts';
import type { VerifyCaller } from './identity.ts';
import type { ExpandLists } from './items/expanded-lists.ts';
import type { ListReader } from './lists/list-reader.ts';
import type { ManifestPoller } from './manifest-poller.ts';

export interface OriginDeps {
  readonly lists: Pick<ListReader, 'read'>;
  readonly expandLists: ExpandLists;
  readonly manifests: Pick<ManifestPoller, 'latest'>;
  readonly verifyCaller: VerifyCaller;
  /** The most time that one read may take, in ms. */
  readonly readTimeoutMs: number;
  /** Whether the connections to Bigtable are open and primed. */
  readonly isWarm: () => boolean;
  /** Whether the process is on its way out. */
  readonly isDraining: () => boolean;
  readonly clock: Clock;
  readonly counters: Counters;
  readonly logger: Logger;
}

/** 200 keys of 128-byte ids, each with its surface and variant, are below 60 kB. */
const MAX_BODY_BYTES = 128 * 1024;

export function createApp(deps: OriginDeps): Hono {
  const { lists, expandLists, manifests, verifyCaller, readTimeoutMs, isDraining, clock, counters, logger } = deps;
  const app = new Hono();

  app.use(async (c, next) => {
    await next();
    // Else a caller's kept-alive connection outlives the listening socket: it brings new requests until the drain's end cuts them off.
    if (isDraining()) c.header('Connection', 'close');
  });

  app.get('/livez', (c) => c.json({ status: 'ok' }));
  app.get('/readyz', (c) => {
    if (isDraining()) return c.json({ status: 'draining' }, 503);
    if (!deps.isWarm()) return c.json({ status: 'connecting to Bigtable' }, 503);
    return manifests.latest() === undefined
      ? c.json({ status: 'waiting for the manifest' }, 503)
      : c.json({ status: 'ok' });
  });

  app.use('/internal/*', async (c, next) => {
    await verifyCaller(c.req.header('authorization'));
    await next();
  });

  app.get(MANIFEST_PATH, (c) => {
    const manifest = manifests.latest();
    if (manifest === undefined) throw new EarshotError('unavailable', 'origin', 'no manifest was read yet');
    const { json, etag } = manifest;
    c.header('ETag', etag);
    return c.req.header('if-none-match') === etag
      ? c.body(null, 304)
      : c.body(json, 200, { 'Content-Type': 'application/json' });
  });

  const limitBody = bodyLimit({
    maxSize: MAX_BODY_BYTES,
    onError: () => {
      throw new EarshotError('payload_too_large', 'origin', `expected at most ${MAX_BODY_BYTES} bytes`);
    },
  });
  app.post(LISTS_READ_PATH, limitBody, async (c) => {
    const timeoutMs = Math.min(readTimeoutMs, parseDeadline(c.req.header(DEADLINE_HEADER)) ?? readTimeoutMs);
    const { keys } = parseBody(await c.req.text());
    counters.add('origin_reads_total', keys.length);
    const startedAtMs = clock.monotonicNow();
    const read = await lists.read(keys, timeoutMs);
    const results = await expandLists(keys, read, Math.max(1, timeoutMs - (clock.monotonicNow() - startedAtMs)));
    counters.add('origin_absent_total', results.filter((result) => result.kind === 'absent').length);
    return c.body(encodeListFrames(results), 200, { 'Content-Type': LIST_FRAMES_TYPE });
  });

  app.notFound(() => problem('not_found'));
  app.onError((thrown, c) => {
    const error = toEarshotError(thrown, 'origin');
    const { status } = problemOf(error.code);
    if (status >= 500)
      logger.error(
        { err: thrown, path: c.req.path, code: error.code, traceparent: c.req.header('traceparent') },
        'request failed',
      );
    return problem(error.code, status < 500 ? error.message : undefined);
  });
  return app;
}

/** RFC 9457. */
function problem(code: ErrorCode, detail?: string): Response {
  const { status, title } = problemOf(code);
  return Response.json(
    { type: `urn:earshot:problem:${code}`, title, status, code, detail },
    {
      status,
      headers: { 'Content-Type': 'application/problem+json' },
    },
  );
}

function parseDeadline(header: string | undefined): number | undefined {
  if (header === undefined) return undefined;
  if (!/^\d{1,9}$/.test(header)) {
    throw new EarshotError(
      'invalid_request',
      'origin',
      `expected ${DEADLINE_HEADER} to be whole milliseconds, got ${JSON.stringify(header)}`,
    );
  }
  if (Number(header) === 0) throw new EarshotError('deadline_exceeded', 'origin', 'the deadline had passed on arrival');
  return Number(header);
}

function parseBody(text: string): z.infer<typeof listsReadSchema> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new EarshotError('invalid_request', 'origin', 'expected a JSON body', { cause });
  }
  const result = listsReadSchema.safeParse(value);
  if (!result.success) throw new EarshotError('invalid_request', 'origin', z.prettifyError(result.error));
  return result.data;
}
