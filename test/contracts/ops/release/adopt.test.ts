// Adoption beside other commands: one of two goes on, a load waits, and the record is as it was after a failure.
import { expect, test } from 'vitest';
import { claimLoad } from '../../../../ops/bigtable/load-claim.ts';
import { listReleases } from '../../../../ops/bigtable/release-record.ts';
import { addToKeepOut } from '../../../../ops/effects/keep-out.ts';
import { type AdoptOptions, adoptRelease } from '../../../../ops/release/adopt/adopt-release.ts';
import { toUserId } from '../../../../shared/domain/ids.ts';
import { makeRowKey } from '../../../../shared/domain/keys.ts';
import { engineCells, writeAsEngine } from '../../../commands/support/other-engine.ts';
import { controlOf, MONDAY, startInstance } from '../../origin/instance.ts';
import { releaseOf } from './gate-instance.ts';

const LISTS = 1_200;

async function start() {
  const { bigtable } = await startInstance();
  const control = controlOf(bigtable);
  await writeAsEngine(bigtable, engineCells(LISTS), { timestampMs: MONDAY });
  return {
    control,
    adopt: (more: Partial<AdoptOptions> = {}) =>
      adoptRelease(control, releaseOf(MONDAY), {
        ...{ expected: LISTS, sample: LISTS, by: 'ops, adopt', why: undefined, dryRun: false },
        ...{ findRef: () => (id: string) => id, ...more },
      }),
    load: () => claimLoad(control, releaseOf(MONDAY), { by: 'ops', add: false, takeOver: false }),
    records: () => listReleases(control, releaseOf(MONDAY)),
  };
}

test('of two adoptions at once one is refused, and the other one is a release', async () => {
  const { adopt, records } = await start();
  const results = await Promise.allSettled([adopt(), adopt()]);
  expect(results.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
  const refused = results.find((each) => each.status === 'rejected');
  expect(String(refused?.reason)).toMatch(/another load of home\/control@20.* (is running|began at the same moment)/);
  expect(await records()).toMatchObject([{ state: 'loaded', lists: LISTS, by: 'ops, adopt' }]);
});

test('a load of the generation is refused while it is adopted', async () => {
  const { adopt, load, records } = await start();
  const loads: Promise<unknown>[] = [];
  const { reasons } = await adopt({
    onShard: (done) => {
      if (done === 1) loads.push(load().catch((error: Error) => error.message));
    },
  });
  expect(reasons).toEqual([]);
  expect(await Promise.all(loads)).toEqual([expect.stringMatching(/is running \(ops, adopt; last seen/)]);
  expect(await records()).toMatchObject([{ state: 'loaded', lists: LISTS }]);
});

test('an adoption that fails, or is refused, leaves no record', async () => {
  const { adopt, records } = await start();
  const fail = (): void => {
    throw new Error('killed');
  };
  await expect(adopt({ onShard: fail })).rejects.toThrow('killed');
  expect(await records()).toEqual([]);
  expect((await adopt({ expected: LISTS + 1 })).reasons).toHaveLength(1);
  expect(await records()).toEqual([]);
});

test('a user who is kept out while lists are read is left out, also if the row was written after the deletion', async () => {
  const { adopt, control, records } = await start();
  const [last = ''] = engineCells(LISTS)
    .map(({ rowKey }) => rowKey)
    .sort()
    .slice(-1);
  const added: Promise<unknown>[] = [];
  const { keptOut } = await adopt({
    onShard: (done) => {
      if (done === 1) added.push(addToKeepOut(control, [last.slice(5)], { by: 'ops', why: 'asked' }));
    },
  });
  await Promise.all(added);
  expect(makeRowKey(toUserId(last.slice(5)))).toBe(last);
  expect(keptOut).toEqual([last]);
  expect(await records()).toMatchObject([{ state: 'loaded', lists: LISTS - 1 }]);
});
