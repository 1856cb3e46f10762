// Cleanup of a measurement runs however the measurement ends.
import { expect, test } from 'vitest';
import { withCleanup } from '../../../bench/support/cleanup.ts';

test('steps run once each, the newest first, after work that succeeds', async () => {
  const done: string[] = [];
  const value = await withCleanup(async (cleanup) => {
    cleanup.add(() => void done.push('first'));
    cleanup.add(async () => void done.push('second'));
    done.push('work');
    return 7;
  });
  expect([value, done]).toEqual([7, ['work', 'second', 'first']]);
});

test('steps run after failed work, and the failure is thrown', async () => {
  const done: string[] = [];
  const failed = withCleanup(async (cleanup) => {
    cleanup.add(() => void done.push('step'));
    throw new Error('no port');
  });
  await expect(failed).rejects.toThrow('no port');
  expect(done).toEqual(['step']);
});

test('no signal listener remains', async () => {
  const before = process.listenerCount('SIGTERM');
  await withCleanup(async () => expect(process.listenerCount('SIGTERM')).toBe(before + 1));
  expect(process.listenerCount('SIGTERM')).toBe(before);
});
