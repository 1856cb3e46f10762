// A compare-and-set whose first attempt is applied late: after the read that did not find it, before the second
// attempt.
import { expect, test } from 'vitest';
import { createManualClock } from '../../../../bench/support/manual-clock.ts';
import { compareAndSet, type Outcome } from '../../../../ops/bigtable/control-table.ts';
import { makeGrpcError, UNAVAILABLE } from '../../../../origin/bigtable/bigtable-error.ts';
import type { BigtableConnection } from '../../../../origin/bigtable/connection.ts';
import { settleWith } from '../../../support/waiting.ts';

async function run(answers: readonly boolean[], outcomes: Outcome[]) {
  const clock = createManualClock();
  const requests: unknown[] = [];
  const checkAndMutateRow = async (request: unknown) => {
    requests.push(request);
    if (requests.length === 1) throw makeGrpcError(UNAVAILABLE, 'the answer was lost');
    return [{ predicateMatched: answers[requests.length - 2] }];
  };
  const bigtable = { data: async () => ({ checkAndMutateRow }), tableName: String } as unknown as BigtableConnection;
  const retries = { clock, random: () => 0.5, totalMs: 20_000 };
  const write = { rowKey: 'r', readAtMs: 1, writtenAtMs: 2, cells: { json: Buffer.from('x') }, what: 'the write' };
  const done = await settleWith(
    clock,
    compareAndSet({ bigtable, appProfile: 'control', retries }, write, async () => outcomes.shift() ?? 'overtaken'),
  );
  return { done, requests };
}

test('has won, although the second attempt finds the row changed', async () => {
  const { done, requests } = await run([false], ['not done', 'done']);
  expect(done).toBe(true);
  expect(requests).toHaveLength(2);
  expect(requests[1]).toEqual(requests[0]);
});

test('has lost if another writer changed the row', async () => {
  expect((await run([false], ['not done', 'overtaken'])).done).toBe(false);
});
