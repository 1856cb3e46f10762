import { once } from 'node:events';
import { createServer } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { findFreePorts, requireFreePorts } from '../../../dev/ports.ts';
import { systemRandom } from '../../../shared/runtime/random.ts';

const squatter = createServer();
let taken = 0;

beforeAll(async () => {
  [taken = 0] = await findFreePorts(1);
  squatter.listen(taken, '127.0.0.1');
  await once(squatter, 'listening');
});

afterAll(() => {
  squatter.close();
});

describe('free ports', () => {
  test('come in a row, from 10 000 up and below those that the system chooses itself', async () => {
    for (const chance of [0, 0.5, 1 - Number.EPSILON]) {
      // The first, the middle and the last that there are; where one is taken, chance decides.
      const chances = [chance];
      const ports = await findFreePorts(14, () => chances.shift() ?? systemRandom());
      expect(ports).toEqual(Array.from({ length: 14 }, (_, i) => (ports[0] ?? 0) + i));
      expect(ports[0]).toBeGreaterThanOrEqual(10_000);
      expect(ports.at(-1)).toBeLessThan(32_768);
    }
  });

  test('are others than one that is taken', async () => {
    const chanceOf = (first: number): number => (first - 10_000 + 0.5) / (32_768 - 10_000 - 3 + 1);
    const chances = [chanceOf(taken), chanceOf(taken - 1), chanceOf(taken - 2)];
    const ports = await findFreePorts(3, () => chances.shift() ?? systemRandom());
    expect(chances).toEqual([]);
    expect(ports).not.toContain(taken);
  });

  test('are not found where none is', async () => {
    const chance = (taken - 10_000 + 0.5) / (32_768 - 10_000);
    await expect(findFreePorts(1, () => chance)).rejects.toThrow(
      'expected 1 free ports in a row on 127.0.0.1, got none in 100 tries',
    );
  });
});

test('the first port that is taken is named, with what it was wanted for', async () => {
  const [free = 0] = await findFreePorts(1);
  const wanted = new Map([
    [free, 'the worker'],
    [taken, 'the way to asia'],
  ]);
  await expect(requireFreePorts(wanted)).rejects.toThrow(
    `port ${taken} (the way to asia) is taken or cannot be used: listen EADDRINUSE`,
  );
});
