// Loads that are asked for one by one and begin together.
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

test('what is added before the start is one call, and each gets its own', async () => {
  const { group, calls } = setUp();
  const added = ['a', 'b', 'c'].map((load) => group.add(load));
  expect(calls).toEqual([]);
  group.start();
  expect(calls).toEqual([['a', 'b', 'c']]);
  expect(await Promise.all(added)).toEqual(['a!', 'b!', 'c!']);
});

test('what is added after the start is a call of its own, at once', async () => {
  const { group, calls } = setUp();
  const first = group.add('a');
  group.start();
  const [later, latest] = [group.add('b'), group.add('c')];
  expect(calls).toEqual([['a'], ['b'], ['c']]);
  expect(await Promise.all([first, later, latest])).toEqual(['a!', 'b!', 'c!']);
});

test('a start with nothing added calls nobody', async () => {
  const { group, calls } = setUp();
  group.start();
  expect(calls).toEqual([]);
  expect(await group.add('late')).toBe('late!');
});

test('a call that fails fails for all whom it carried, and for nobody else', async () => {
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
