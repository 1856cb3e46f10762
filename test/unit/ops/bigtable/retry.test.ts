import { expect, test } from 'vitest';
import { createManualClock } from '../../../../bench/support/manual-clock.ts';
import { withRetries } from '../../../../ops/bigtable/retry.ts';
import { EarshotError } from '../../../../shared/wire/errors.ts';
import { settleWith } from '../../../support/waiting.ts';

const away = () => new EarshotError('unavailable', 'table', 'away');

function setUp(totalMs: number, random = () => 0.5) {
  const clock = createManualClock();
  const attempts: { atMs: number; timeoutMs: number }[] = [];
  const notes: string[] = [];
  const startedAtMs = clock.now();
  return {
    attempts,
    clock,
    notes,
    run: (answer: (attempt: number) => string) =>
      settleWith(
        clock,
        withRetries({ clock, random, totalMs, onRetry: ({ message }) => notes.push(message) }, async (timeoutMs) => {
          attempts.push({ atMs: clock.now() - startedAtMs, timeoutMs });
          return answer(attempts.length);
        }),
        10,
      ),
  };
}

test('a call is repeated until it succeeds, with waits that grow, and one note', async () => {
  const { attempts, notes, run } = setUp(20_000);
  const answer = (attempt: number): string => {
    if (attempt < 5) throw away();
    return 'done';
  };
  expect(await run(answer)).toBe('done');
  expect(attempts.map(({ atMs }) => atMs)).toEqual([0, 100, 300, 700, 1500]);
  expect(notes).toEqual(['away']);
});

test('no attempt starts after the total bound, and the last ones have only what is left of it', async () => {
  const { attempts, clock, run } = setUp(20_000);
  const startedAtMs = clock.now();
  const answer = (): string => {
    throw away();
  };
  await expect(run(answer)).rejects.toThrow('away');
  expect(clock.now() - startedAtMs).toBeLessThanOrEqual(20_000);
  expect(attempts.length).toBeGreaterThan(8);
  for (const { atMs, timeoutMs } of attempts.slice(1)) {
    expect(timeoutMs).toBe(Math.min(10_000, Math.max(1000, 20_000 - atMs)));
  }
});

test.each([
  ['without time for retries', 0, away()],
  ['for an error that stays', 20_000, new EarshotError('internal', 'table', 'not allowed')],
  ['for an error of the program', 20_000, new TypeError('undefined')],
])('there is one attempt %s', async (_when, totalMs, error) => {
  const { attempts, run } = setUp(totalMs);
  const answer = (): string => {
    throw error;
  };
  await expect(run(answer)).rejects.toBe(error);
  expect(attempts).toEqual([{ atMs: 0, timeoutMs: 10_000 }]);
});

test('the jitter spreads the waits from almost none to the whole of them', async () => {
  const waits = [0.05, 1].map(async (draw) => {
    const { attempts, run } = setUp(20_000, () => draw);
    await run((attempt) => {
      if (attempt < 3) throw away();
      return '';
    });
    return attempts.at(-1)?.atMs;
  });
  expect(await Promise.all(waits)).toEqual([30, 600]);
});
