// The table of hostile requests at a running local cloud, over raw sockets: HTTP clients change or refuse most of them.
// A row that the runtime or the proxy of wrangler answers says why.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { TestCloud } from '../../bench/rigs/local-cloud.ts';
import { edgeStatusSchema, STATUS_PATH } from '../../shared/wire/edge-status.ts';
import { startTestCloud } from '../support/earshot/test-cloud.ts';
import { EDGE_WATCHED, findRowFaults, type HostileTarget } from '../support/hostile/check-row.ts';
import table from '../support/hostile/edge-requests.json' with { type: 'json' };
import { type HostileRow, serializeRequest } from '../support/hostile/row.ts';
import type { TokenSpec } from '../support/hostile/tokens.ts';
import { createRawClient, type RawClient } from '../support/raw-http/raw-client.ts';

const rows = (table.rows as unknown as HostileRow[]).filter(({ only }) => only !== 'workerd');
const tokens = table.tokens as unknown as Readonly<Record<string, TokenSpec>>;
let cloud: TestCloud;
let client: RawClient;
let target: HostileTarget;

beforeAll(async () => {
  cloud = await startTestCloud();
  client = createRawClient(() => cloud.ports.edge);
  const status = { authorization: `Bearer ${await cloud.mintToken('operator', 'recs:status')}` };
  const secretOf = (name: string): string => {
    const [, value] = new RegExp(`^${name}='(.*)'$`, 'm').exec(edgeEnvironment()) ?? [];
    if (value === undefined) throw new Error(`expected ${name} in the environment of the worker, got none`);
    return value;
  };
  let statusReads = 0;
  const read = async () => {
    const response = await fetch(`${cloud.edgeUrl}${STATUS_PATH}`, { headers: status });
    statusReads += 1;
    const { counters } = edgeStatusSchema.parse(await response.json());
    // The reads of the status are requests, too.
    return { ...counters, edge_requests_total: counters.edge_requests_total - statusReads };
  };
  target = {
    setting: {
      side: 'edge',
      secrets: {
        listener: secretOf('TOKEN_SECRET'),
        origin: secretOf('ORIGIN_SECRET'),
        unknown: 'a-secret-that-no-part-of-this-test-knows',
      },
      get nowMs() {
        return Date.now();
      },
    },
    tokens,
    watched: EDGE_WATCHED,
    requests: 'edge_requests_total',
    counters: read,
    send: async (request) => {
      const { isCut = false } = request.row;
      const bytes = serializeRequest(request);
      const answer = await client.send({ side: 'edge', bytes, method: request.method, isWhole: !isCut, isCut });
      if (answer.status === 'closed') return { status: 'closed', contentType: '', cacheControl: '', body: '' };
      const header = (name: string) => answer.headers.get(name) ?? '';
      const body = answer.body.toString();
      return {
        status: answer.status,
        contentType: header('content-type'),
        cacheControl: header('cache-control'),
        body,
      };
    },
  };
});

afterAll(async () => {
  client?.close();
  await cloud?.stop();
});

const edgeEnvironment = (): string => readFileSync(join(cloud.stateDirectory, 'edge.env'), 'utf8');

test('the table has more than 120 rows for the local cloud', () => {
  expect(rows.length).toBeGreaterThan(120);
});

test.each(rows)('$name', async (row) => {
  expect(await findRowFaults(row, target)).toEqual([]);
});
