// Loads that are requested one by one and start together.
import { expect, test } from 'vitest';
import { createLoadGroup } from '../../../../shared/caching/load-group.ts';

function setUp(
  loadAll = async (loads: readonly string[]): Promise<readonly string[]> => loads.map((load) => `${load}!`),
) {
  const calls: (readonly string[])[] = [];
  const group = createLoadGroup((loads: readonly string[]) => {
    calls.push([...loads]);
    return loadAll(loads);
  });
  return { group, calls };
}

test('requests added before the start are one call, and each gets its own result', async () => {
  const { group, calls } = setUp();
  const added = ['a', 'b', 'c'].map((load) => group.add(load));
  expect(calls).toEqual([]);
  group.start();
  expect(calls).toEqual([['a', 'b', 'c']]);
  expect(await Promise.all(added)).toEqual(['a!', 'b!', 'c!']);
});

test('a request added after the start is its own call, immediately', async () => {
  const { group, calls } = setUp();
  const first = group.add('a');
  group.start();
  const [later, latest] = [group.add('b'), group.add('c')];
  expect(calls).toEqual([['a'], ['b'], ['c']]);
  expect(await Promise.all([first, later, latest])).toEqual(['a!', 'b!', 'c!']);
});

test('a start without requests makes no call', async () => {
  const { group, calls } = setUp();
  group.start();
  expect(calls).toEqual([]);
  expect(await group.add('late')).toBe('late!');
});

test('a failed call fails its own requests, and no other', async () => {
  let isFirst = true;
  const { group } = setUp(async (loads) => {
    if (!isFirst) return loads;
    isFirst = false;
    throw new Error('lost');
  });
  const added = Promise.allSettled([group.add('a'), group.add('b')]);
  group.start();
  expect((await added).map(({ status }) => status)).toEqual(['rejected', 'rejected']);
  expect(await group.add('c')).toBe('c');
});
