// The claim of a load on its generation: of two loads at once exactly one goes on, and a load that wrote nothing leaves
// the row as it found it.

import { expect, test } from 'vitest';
import { createManualClock } from '../../../bench/support/manual-clock.ts';
import { CLAIM_LEASE_MS, claimLoad } from '../../../ops/bigtable/load-claim.ts';
import { listReleases } from '../../../ops/bigtable/release-record.ts';
import { createLazyClaim } from '../../../ops/ingest/lazy-claim.ts';
import { toName } from '../../../shared/domain/ids.ts';
import { eventually } from '../../support/waiting.ts';
import { controlOf, MONDAY, recordLoad, startInstance } from '../origin/instance.ts';

const load = { surface: toName('home'), variant: toName('control'), generation: MONDAY };
const options = { by: 'ops@example, process 7', add: false, takeOver: false, resume: false, inputs: 'a file' };
const loaded = { state: 'loaded', lists: 5, rejected: 1 } as const;

const summaryOf = (lists: number, rejects: number) => ({
  ...{ lists, rejects, checksum: '0'.repeat(16) },
  items: { p50: 50, p99: 60, max: 60 },
  bytes: { p50: 2000, p99: 2400, max: 2500 },
});

async function startClaims() {
  const { bigtable, server } = await startInstance();
  const clock = createManualClock();
  const control = controlOf(bigtable, 'control', { clock, random: () => 0.5, totalMs: 0 });
  return {
    bigtable,
    clock,
    control,
    server,
    claim: (more: Partial<typeof options> = {}) => claimLoad(control, load, { ...options, ...more }),
    receipts: () => listReleases(control, load),
  };
}

test('of 20 loads of one generation at once exactly one goes on', async () => {
  const { claim, receipts } = await startClaims();
  const results = await Promise.allSettled(Array.from({ length: 20 }, () => claim()));
  const [winner, ...others] = results.flatMap((each) => (each.status === 'fulfilled' ? [each.value] : []));
  expect(others).toEqual([]);
  for (const { reason } of results.filter((each) => each.status === 'rejected')) {
    expect(String(reason)).toMatch(/another load of home\/control@20.* (is running|began at the same moment)/);
  }
  await winner?.finish(summaryOf(3, 0));
  expect(await receipts()).toMatchObject([{ state: 'loaded', lists: 3, rejected: 0 }]);
});

test('a claim is renewed while its load runs, and free at the end of its lease', async () => {
  const { claim, clock, receipts, server } = await startClaims();
  const first = await claim();
  for (let renewals = 1; renewals <= 8; renewals++) {
    clock.advance(15_000);
    await eventually(() => expect(server.counters('asia').calls.CheckAndMutateRow).toBe(1 + renewals));
    await eventually(() => expect(clock.pending()).toBe(1));
    first.requireHeld();
    await expect(claim()).rejects.toThrow('is running (ops@example, process 7; last seen 0 s ago)');
  }
  // The process of the first load is suspended: its timer does not run, but time passes.
  server.setFault('asia', { errorCode: 'PERMISSION_DENIED', errorShare: 1 });
  clock.advance(CLAIM_LEASE_MS);
  await eventually(() => expect(clock.pending()).toBe(1));
  expect(() => first.requireHeld()).toThrow('could not be renewed for too long');
  server.setFault('asia', {});
  const second = await claim();
  await expect(first.finish(summaryOf(1, 0))).rejects.toThrow('took the generation over');
  await second.finish(summaryOf(2, 0));
  expect(await receipts()).toMatchObject([{ state: 'loaded', lists: 2 }]);
});

test('a load whose generation is taken over stops at its next renewal', async () => {
  const { claim, clock } = await startClaims();
  const first = await claim();
  await claim({ takeOver: true });
  first.requireHeld();
  clock.advance(15_000);
  await eventually(() => expect(() => first.requireHeld()).toThrow('another load of home/control'));
  await expect(first.finish(summaryOf(1, 0))).rejects.toThrow('took the generation over');
});

test('a renewal whose answer is lost does not end the load, nor does a lost answer before its end', async () => {
  const { claim, clock, receipts, server } = await startClaims();
  const held = await claim();
  const loseRenewal = async () => {
    const calls = server.counters('asia').calls.CheckAndMutateRow ?? 0;
    server.setFault('asia', { lostAnswerShare: 1 });
    clock.advance(15_000);
    await eventually(() => expect(server.counters('asia').calls.CheckAndMutateRow).toBe(calls + 1));
    await eventually(() => expect(clock.pending()).toBe(1));
    server.setFault('asia', {});
  };
  await loseRenewal();
  clock.advance(15_000);
  await eventually(() => expect(clock.pending()).toBe(1));
  held.requireHeld();
  await loseRenewal();
  await held.finish(summaryOf(3, 0));
  expect(await receipts()).toMatchObject([{ state: 'loaded', lists: 3 }]);
});

test('a load that wrote nothing leaves no receipt, or the one that it found', async () => {
  const { bigtable, claim, clock, receipts } = await startClaims();
  await (await claim()).abandon(false);
  expect(await receipts()).toEqual([]);
  await recordLoad(bigtable, load, loaded);
  await (await claim({ add: true })).abandon(false);
  expect(await receipts()).toMatchObject([{ generation: MONDAY, ...loaded }]);
  expect(clock.pending()).toBe(0);
});

test('a load that has ended may write no more', async () => {
  const { claim } = await startClaims();
  const ended = await claim();
  ended.requireHeld();
  await ended.abandon(false);
  expect(() => ended.requireHeld()).toThrow(/the load of home\/control@20.* has ended/);
});

test('a load that ends while it takes its claim leaves no claim', async () => {
  const { control, receipts, server } = await startClaims();
  const lazy = createLazyClaim(control, load, { ...options, force: false });
  const taking = lazy.take();
  await eventually(() => expect(server.counters('asia').calls.ReadRows).toBeGreaterThan(0));
  expect(await lazy.abandon(false)).toBe(false);
  await taking;
  expect(await receipts()).toEqual([]);
  expect(() => lazy.requireHeld()).toThrow('has ended');
});

test('a load that may have written leaves a receipt, which the next load takes at once', async () => {
  const { claim, receipts } = await startClaims();
  await (await claim()).abandon(true);
  expect(await receipts()).toMatchObject([{ state: 'loading', lists: 0 }]);
  // The second one finds out that it cannot write: the receipt is as free as before.
  const second = await claim();
  expect(second.hasEarlierCells).toBe(true);
  await second.abandon(false);
  await (await claim()).finish(summaryOf(4, 2));
  expect(await receipts()).toMatchObject([{ state: 'loaded', lists: 4, rejected: 2 }]);
});

test('a load goes on with inputs of the same sizes only, and the record of the release does not name them', async () => {
  const { claim, receipts } = await startClaims();
  await (await claim()).abandon(true);
  await expect(claim({ resume: true, inputs: 'other files' })).rejects.toThrow(
    /expected the inputs of the load of home\/control@20.* that ended \(a file\), got others \(other files\)/,
  );
  await (await claim({ resume: true })).finish(summaryOf(4, 2));
  expect((await receipts())[0]).not.toHaveProperty('inputs');
});

test('a load that added and was ended is gone on with, not begun again: its record has the lists of before', async () => {
  const { bigtable, claim, receipts } = await startClaims();
  await recordLoad(bigtable, load, loaded);
  await (await claim({ add: true })).finish(summaryOf(1, 0));
  await (await claim({ add: true })).abandon(true);
  await expect(claim()).rejects.toThrow(/a load that added to home\/control@20.* ended before its end: pass --add/);
  await (await claim({ resume: true })).finish(summaryOf(3, 1));
  expect(await receipts()).toMatchObject([{ state: 'loaded', lists: 9, rejected: 2, summary: { lists: 4 } }]);
});

test('a loaded generation is added to only on purpose, and the counts are those of both loads', async () => {
  const { bigtable, claim, receipts } = await startClaims();
  await expect(claim({ add: true })).rejects.toThrow(/expected a loaded generation to add to, got home\/control@20/);
  await recordLoad(bigtable, load, loaded);
  await expect(claim()).rejects.toThrow(/is loaded already: load another generation, or add to this one with --add/);
  // A first attempt to add fails after some lists.
  await (await claim({ add: true })).abandon(true);
  await (await claim({ add: true })).finish(summaryOf(3, 1));
  expect(await receipts()).toMatchObject([{ state: 'loaded', lists: 8, rejected: 2 }]);
});
