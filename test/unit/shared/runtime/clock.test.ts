import { expect, test } from 'vitest';
import { createManualClock } from '../../../../bench/support/manual-clock.ts';
import { pause, systemClock } from '../../../../shared/runtime/clock.ts';

test('a manual clock runs what falls due in the order of its time, and no more', () => {
  const clock = createManualClock(1000);
  const ran: string[] = [];
  clock.setTimeout(() => ran.push(`late at ${clock.now()}`), 50);
  clock.setTimeout(() => {
    ran.push(`early at ${clock.now()}`);
    clock.setTimeout(() => ran.push(`nested at ${clock.now()}`), 10);
  }, 20);
  clock.setTimeout(() => ran.push('never'), 100);
  clock.advance(60);
  expect(ran).toEqual(['early at 1020', 'nested at 1030', 'late at 1050']);
  expect(clock.now()).toBe(1060);
  expect(clock.pending()).toBe(1);
});

test('a cancelled timer does not run, on either clock', async () => {
  const clock = createManualClock();
  clock.setTimeout(() => expect.unreachable(), 5)();
  clock.advance(10);
  systemClock.setTimeout(() => expect.unreachable(), 0)();
  await pause(systemClock, 1);
});
