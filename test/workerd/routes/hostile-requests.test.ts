// The table of hostile requests at the worker's app: status, code, and the one counter that grows.
import { expect, test } from 'vitest';
import { EDGE_WATCHED, findRowFaults, type HostileTarget } from '../../support/hostile/check-row.ts';
import table from '../../support/hostile/edge-requests.json';
import { type BuiltRequest, bytesOf, type HostileRow } from '../../support/hostile/row.ts';
import type { TokenSpec } from '../../support/hostile/tokens.ts';
import { createHarness, type GetOptions } from '../support/harness.ts';
import { keyOf, makeList } from '../support/lists.ts';
import { ORIGIN_SECRET, TOKEN_SECRET } from '../support/tokens.ts';

const rows = (table.rows as unknown as HostileRow[]).filter(({ only }) => only !== 'cloud');
const tokens = table.tokens as unknown as Readonly<Record<string, TokenSpec>>;

test('the tables have more than 120 rows', () => {
  expect(rows.length).toBeGreaterThan(120);
  expect(new Set(table.rows.map(({ name }) => name)).size).toBe(table.rows.length);
});

test.each(rows)('$name: $status', async (row) => {
  expect(await findRowFaults(row, await createTarget(row))).toEqual([]);
});

async function createTarget({ env = {} }: HostileRow): Promise<HostileTarget> {
  const edge = createHarness({ env: { TOKEN_MAX_LIFETIME_SECONDS: '86400', ...env } });
  edge.origins.put(keyOf('listener:1'), makeList('first'));
  edge.origins.put(keyOf('listener:2'), makeList('second'));
  edge.origins.put(keyOf('~popular'), makeList('popular'));
  return {
    setting: {
      side: 'edge',
      secrets: { listener: TOKEN_SECRET, origin: ORIGIN_SECRET, unknown: 'a-secret-that-no-part-of-this-test-knows' },
      nowMs: edge.clock.now(),
    },
    tokens,
    watched: EDGE_WATCHED,
    requests: 'edge_requests_total',
    counters: async () => edge.counters.snapshot(),
    send: async (request) => {
      const response = await edge.get(request.path, optionsOf(request));
      const header = (name: string) => response.headers.get(name) ?? '';
      const body = await response.text();
      return {
        status: response.status,
        contentType: header('content-type'),
        cacheControl: header('cache-control'),
        body,
      };
    },
  };
}

/** The runtime joins the values of a repeated header. */
function optionsOf({ method, headers, body, row }: BuiltRequest): GetOptions {
  const joined = new Map<string, string>();
  for (const [name, value] of headers) {
    const before = joined.get(name.toLowerCase());
    joined.set(name.toLowerCase(), before === undefined ? value : `${before}, ${value}`);
  }
  const { authorization = null, host, ...rest } = Object.fromEntries(joined);
  const bytes = body === undefined ? undefined : bytesOf(body);
  const sent = bytes === undefined ? {} : { body: row.isChunked === true ? new Blob([bytes]).stream() : bytes };
  return { method, headers: rest, authorization, host, ...sent };
}
