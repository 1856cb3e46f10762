import { once } from 'node:events';
import { createServer } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { findFreePorts } from '../../../bench/support/free-ports.ts';
import { requireFreePorts } from '../../../dev/ports.ts';
import { systemRandom } from '../../../shared/runtime/random.ts';

const squatter = createServer();
let usedPort = 0;

beforeAll(async () => {
  [usedPort = 0] = await findFreePorts(1);
  squatter.listen(usedPort, '127.0.0.1');
  await once(squatter, 'listening');
});

afterAll(() => {
  squatter.close();
});

describe('free ports', () => {
  test('are consecutive, from 10 000 to below the ephemeral ports', async () => {
    for (const chance of [0, 0.5, 1 - Number.EPSILON]) {
      // The first, a middle and the last range. If one is in use, random numbers pick another.
      const chances = [chance];
      const ports = await findFreePorts(14, () => chances.shift() ?? systemRandom());
      expect(ports).toEqual(Array.from({ length: 14 }, (_, i) => (ports[0] ?? 0) + i));
      expect(ports[0]).toBeGreaterThanOrEqual(10_000);
      expect(ports.at(-1)).toBeLessThan(32_768);
    }
  });

  test('exclude ports in use', async () => {
    const chanceOf = (first: number): number => (first - 10_000 + 0.5) / (32_768 - 10_000 - 3 + 1);
    const chances = [chanceOf(usedPort), chanceOf(usedPort - 1), chanceOf(usedPort - 2)];
    const ports = await findFreePorts(3, () => chances.shift() ?? systemRandom());
    expect(chances).toEqual([]);
    expect(ports).not.toContain(usedPort);
  });

  test('are reported missing after 100 tries', async () => {
    const chance = (usedPort - 10_000 + 0.5) / (32_768 - 10_000);
    await expect(findFreePorts(1, () => chance)).rejects.toThrow(
      'expected 1 free ports in a row on 127.0.0.1, got none in 100 tries',
    );
  });
});

test('the first port in use is named, with its purpose', async () => {
  const [free = 0] = await findFreePorts(1);
  const wanted = new Map([
    [free, 'the worker'],
    [usedPort, 'the region proxy of asia'],
  ]);
  await expect(requireFreePorts(wanted)).rejects.toThrow(
    `port ${usedPort} (the region proxy of asia) is in use or cannot be used: listen EADDRINUSE`,
  );
});
