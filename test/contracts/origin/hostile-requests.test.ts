// The table of hostile requests at one running origin, over raw sockets: status, code, and the one counter that grows.
import { expect, onTestFinished, test } from 'vitest';
import { toName, toUserId } from '../../../shared/domain/ids.ts';
import { encodeItem } from '../../../shared/domain/list.ts';
import { findRowFaults, type HostileTarget, ORIGIN_WATCHED } from '../../support/hostile/check-row.ts';
import table from '../../support/hostile/origin-requests.json' with { type: 'json' };
import { type HostileRow, serializeRequest } from '../../support/hostile/row.ts';
import type { TokenSpec } from '../../support/hostile/tokens.ts';
import { createRawClient } from '../../support/raw-http/raw-client.ts';
import { MONDAY, manifestOf, publishManifest, startInstance, writeList } from './instance.ts';
import { runOrigin, SECRET } from './running-origin.ts';

const rows = table.rows as unknown as HostileRow[];
const tokens = table.tokens as unknown as Readonly<Record<string, TokenSpec>>;

async function startTarget(): Promise<HostileTarget> {
  const instance = await startInstance();
  const names = { surface: toName('home'), variant: toName('control') };
  const key = { ...names, generation: MONDAY, user: toUserId('listener:1') };
  await writeList(instance.bigtable, key, encodeItem('track:1', '1'));
  await publishManifest(instance.bigtable, manifestOf(1), MONDAY);
  const { origin, clock } = await runOrigin(instance);
  const client = createRawClient(() => Number(new URL(origin.url).port));
  onTestFinished(() => client.close());
  return {
    setting: {
      side: 'origin',
      secrets: {
        listener: 'listener-secret-for-tests-only-0123456789',
        origin: SECRET,
        unknown: 'a-secret-that-no-part-of-this-test-knows',
      },
      nowMs: clock.now(),
    },
    tokens,
    watched: ORIGIN_WATCHED,
    // An origin has no counter of requests.
    requests: undefined,
    counters: async () => origin.counters.snapshot(),
    send: async (request) => {
      const { isCut = false } = request.row;
      const bytes = serializeRequest(request);
      const answer = await client.send({ side: 'origin', bytes, method: request.method, isWhole: !isCut, isCut });
      if (answer.status === 'closed') return { status: 'closed', contentType: '', cacheControl: '', body: '' };
      const header = (name: string) => answer.headers.get(name) ?? '';
      const body = answer.body.toString('latin1');
      return {
        status: answer.status,
        contentType: header('content-type'),
        cacheControl: header('cache-control'),
        body,
      };
    },
  };
}

test('every row of the table has its status, code and counter', async () => {
  expect(rows.length).toBeGreaterThan(120);
  expect(new Set(rows.map(({ name }) => name)).size).toBe(rows.length);
  const target = await startTarget();
  const faults: string[] = [];
  for (const row of rows) for (const fault of await findRowFaults(row, target)) faults.push(`${row.name}: ${fault}`);
  expect(faults).toEqual([]);
});
