// Reads of a canary's cohorts, from memory and from the table.
import { expect, test } from 'vitest';
import { CancellationSource } from '../../../../shared/caching/cancellation.ts';
import { absent, failure, list, query, settle, setUp, TIMEOUT_MS } from './answered-reader.ts';

/** A generation that `query` does not ask for. */
const CANARY = 1_795_316_400_000;

const canaryRead = (user: string) => query(user, { generation: CANARY });
const sumsOf = ({ cohortSums }: ReturnType<typeof setUp>) => Object.values(cohortSums())[0];

test('a read of the table counts with its duration, and a later one from memory counts no user twice', async () => {
  const rig = setUp();
  rig.startCanary(CANARY);
  const reading = rig.read(canaryRead('u:1'), canaryRead('u:2'));
  await settle();
  rig.clock.advance(7);
  rig.calls[0]?.answer(absent);
  await reading;
  const after = sumsOf(rig)?.canary;
  expect(after).toMatchObject({ users: 2, absent: 2, latencyMs: { count: 2, sum: 14, squares: 98 } });
  rig.reader.getCached([canaryRead('u:1')]);
  await rig.read(canaryRead('u:2'));
  expect(sumsOf(rig)?.canary).toEqual(after);
});

test('a list from memory counts without a duration, in one turn and beside a missing one', async () => {
  const rig = setUp();
  await rig.load(list('a'), canaryRead('u:1'));
  await rig.load(list('b'), canaryRead('u:2'));
  rig.startCanary(CANARY);
  expect(rig.reader.getCached([canaryRead('u:1')])).toHaveLength(1);
  const reading = rig.read(canaryRead('u:2'), canaryRead('u:3'));
  await settle();
  rig.clock.advance(5);
  rig.calls.at(-1)?.answer(list('c'));
  await reading;
  expect(sumsOf(rig)?.canary).toMatchObject({ users: 3, latencyMs: { count: 1, sum: 5 }, bytes: { count: 3 } });
});

test('a control read counts apart, under the key that is cold for the canary', async () => {
  const rig = setUp();
  rig.startCanary(CANARY);
  await rig.load(list('a'), query('u:1', { coldFor: CANARY }));
  expect(sumsOf(rig)).toMatchObject({ canary: { users: 0 }, control: { users: 1, older: 0 } });
});

test('a failed read is an error, and a read whose caller has left is none', async () => {
  const rig = setUp();
  rig.startCanary(CANARY);
  await rig.load(failure, canaryRead('u:1'));
  expect(sumsOf(rig)?.canary).toMatchObject({ users: 0, errors: 1 });
  const cancellation = new CancellationSource();
  const reading = rig.reader.read([canaryRead('u:2')], TIMEOUT_MS, cancellation);
  await settle();
  cancellation.cancel();
  rig.calls.at(-1)?.answer(failure);
  await reading;
  expect(sumsOf(rig)?.canary).toMatchObject({ users: 0, errors: 1 });
});
