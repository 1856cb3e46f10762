import { expect, test } from 'vitest';
import { CancellationSource, combineCancellations } from '../../../../shared/caching/cancellation.ts';

test('whoever listens is told once, whoever took it back is not, and whoever comes too late is told at once', () => {
  const cancellation = new CancellationSource();
  const told: string[] = [];
  cancellation.onCancel(() => told.push('a'));
  const forget = cancellation.onCancel(() => told.push('b'));
  forget();
  expect(cancellation.isCancelled()).toBe(false);
  cancellation.cancel();
  cancellation.cancel();
  cancellation.onCancel(() => told.push('c'));
  expect([cancellation.isCancelled(), told]).toEqual([true, ['a', 'c']]);
});

test('all are gone when the last one is, and nobody is not gone', () => {
  const [a, b] = [new CancellationSource(), new CancellationSource()];
  const all = combineCancellations([a, b]);
  a.cancel();
  a.cancel();
  expect(all.isCancelled()).toBe(false);
  b.cancel();
  expect([all.isCancelled(), combineCancellations([]).isCancelled()]).toEqual([true, false]);
});
