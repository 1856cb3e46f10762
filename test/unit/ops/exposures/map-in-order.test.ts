// Work on a sequence, several elements at a time: its order, its bound, and its failures.
import { expect, test } from 'vitest';
import { mapInOrder } from '../../../../ops/exposures/map-in-order.ts';

async function* count(to: number): AsyncGenerator<number> {
  for (let i = 0; i < to; i++) yield i;
}

test('results come in the order of the elements, however late each is', async () => {
  const results: number[] = [];
  const work = (i: number) => new Promise<number>((resolve) => setTimeout(() => resolve(i), (i * 7) % 5));
  for await (const result of mapInOrder(count(40), 8, work)) results.push(result);
  expect(results).toEqual(Array.from({ length: 40 }, (_, i) => i));
});

test('a caller that is slow holds the work back: at most 8 results are ahead of it', async () => {
  let started = 0;
  let ahead = 0;
  let taken = 0;
  const work = async (i: number) => {
    started += 1;
    return i;
  };
  for await (const _result of mapInOrder(count(100), 8, work)) {
    taken += 1;
    ahead = Math.max(ahead, started - taken + 1);
    await new Promise(setImmediate);
  }
  expect([taken, ahead]).toEqual([100, 8]);
});

test('a failure is thrown at its turn, after the results before it', async () => {
  const results: number[] = [];
  const read = async (): Promise<void> => {
    const work = async (i: number) => {
      if (i >= 3) throw new Error(`no ${i}`);
      return i;
    };
    for await (const result of mapInOrder(count(20), 8, work)) results.push(result);
  };
  await expect(read()).rejects.toThrow('no 3');
  expect(results).toEqual([0, 1, 2]);
});
