// Server-Timing: the duration of each step, including concurrent runs of one step.
import { expect, test } from 'vitest';
import { createManualClock } from '../../../bench/support/manual-clock.ts';
import { createTimings } from '../../../edge/request/timings.ts';

const open = () => {
  const { promise, resolve } = Promise.withResolvers<void>();
  return { step: () => promise, end: resolve };
};

function createTimed() {
  const clock = createManualClock();
  return { clock, timings: createTimings(clock) };
}

test('a step that runs many times at once is one entry, from its first beginning to its last end', async () => {
  const { clock, timings } = createTimed();
  const [first, second] = [open(), open()];
  const a = timings.time('colo', first.step);
  clock.advance(3);
  const b = timings.time('colo', second.step);
  clock.advance(4);
  first.end();
  await a;
  clock.advance(5);
  second.end();
  await b;
  expect(timings.serialize()).toBe('colo;dur=12');
});

test('the time between two runs of a step is not its own', async () => {
  const { clock, timings } = createTimed();
  const advance = async () => clock.advance(2);
  await timings.time('colo', advance);
  clock.advance(50);
  await timings.time('colo', advance);
  expect(timings.serialize()).toBe('colo;dur=4');
});

test('steps with another description are entries of their own, in the order in which they began', async () => {
  const { clock, timings } = createTimed();
  const asia = open();
  const slow = timings.time('origin', asia.step, 'asia');
  clock.advance(1);
  await timings.time('origin', async () => clock.advance(2), 'us');
  asia.end();
  await slow;
  expect(timings.serialize()).toBe('origin;desc="asia";dur=3, origin;desc="us";dur=2');
});

test('a step that failed took its time, and one that still runs has taken some', async () => {
  const { clock, timings } = createTimed();
  const failing = timings.time('colo', async () => {
    clock.advance(2);
    throw new Error('the disk is gone');
  });
  await expect(failing).rejects.toThrow('the disk is gone');
  void timings.time('origin', open().step);
  clock.advance(7);
  expect(timings.serialize()).toBe('colo;dur=2, origin;dur=7');
});
