import { expect, test } from 'vitest';
import { CancellationSource, combineCancellations } from '../../../../shared/caching/cancellation.ts';

test('a listener is called once, a removed one never, and a late one immediately', () => {
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

test('a group is cancelled with its last member, and an empty group is not cancelled', () => {
  const [a, b] = [new CancellationSource(), new CancellationSource()];
  const all = combineCancellations([a, b]);
  a.cancel();
  a.cancel();
  expect(all.isCancelled()).toBe(false);
  b.cancel();
  expect([all.isCancelled(), combineCancellations([]).isCancelled()]).toEqual([true, false]);
});
