// Garbage collection of the embedded Bigtable is exact at every read. Google's emulator collects about once a second
// and the service within a week; Earshot must depend on neither, but a test needs one answer.
import { expect, test } from 'vitest';
import { createManualClock } from '../../../bench/support/manual-clock.ts';
import { codeOf, INSTANCE_NAME, noRetry } from './clients.ts';
import { startEmbedded, TABLE_NAME } from './embedded.ts';

const DAY_MS = 86_400_000;
const days = (count: number) => ({ maxAge: { seconds: (count * DAY_MS) / 1000 } });

/** Writes a cell of each age in days. Returns the ages that a read still has. */
async function agesRead(gcRule: object, ages: readonly number[]): Promise<number[]> {
  const clock = createManualClock();
  const { clients, write, values } = await startEmbedded({ clock });
  const modifications = [{ id: 'l', update: { gcRule } }];
  await clients.tableAdmin.modifyColumnFamilies({ name: TABLE_NAME, modifications }, noRetry);
  for (const age of ages) await write('', 'k', String(age), clock.now() - age * DAY_MS);
  return (await values('us', 'k')).map(Number);
}

test('only the newest versions up to the limit are read, in any order of writes', async () => {
  expect(await agesRead({ maxNumVersions: 3 }, [2, 5, 1, 4, 3])).toEqual([1, 2, 3]);
});

test('cells older than the age are not read, and one of exactly that age is', async () => {
  expect(await agesRead(days(2), [0, 2, 3])).toEqual([0, 2]);
});

test('a union collects a cell that any of its rules collects', async () => {
  expect(await agesRead({ union: { rules: [{ maxNumVersions: 2 }, days(3)] } }, [0, 1, 2])).toEqual([0, 1]);
  expect(await agesRead({ union: { rules: [{ maxNumVersions: 2 }, days(3)] } }, [0, 4])).toEqual([0]);
});

test('an intersection collects only cells that all of its rules collect', async () => {
  expect(await agesRead({ intersection: { rules: [{ maxNumVersions: 1 }, days(3)] } }, [0, 2, 4])).toEqual([0, 2]);
});

test('a row whose cells have all aged away is no row, while time alone passes', async () => {
  const clock = createManualClock();
  const { bigtable, cells, values, write } = await startEmbedded({ clock, rule: { age: { seconds: 60 } } });
  await write('', 'k', 'v', clock.now());
  expect(await values('', 'k')).toEqual(['v']);
  clock.advance(60_001);
  expect(await values('', 'k')).toEqual([]);
  expect(await cells('')).toEqual([]);
  expect(bigtable.counters('asia')).toMatchObject({ rowsRead: 1, rowsMissed: 1 });
});

test('a rule that is not one is INVALID_ARGUMENT', async () => {
  const { clients } = await startEmbedded();
  for (const gcRule of [{ maxNumVersions: 0 }, { union: { rules: [] } }, { intersection: { rules: [{}] } }]) {
    const table = { columnFamilies: { l: { gcRule } } };
    expect(await codeOf(clients.tableAdmin.createTable({ parent: INSTANCE_NAME, tableId: 'x', table }, noRetry))).toBe(
      3,
    );
  }
});
