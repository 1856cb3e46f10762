import { expect, test } from 'vitest';
import { OwnPresence, presenceOfAll } from '../../../../shared/caching/cancellation.ts';

test('whoever listens is told once, whoever took it back is not, and whoever comes too late is told at once', () => {
  const presence = new OwnPresence();
  const told: string[] = [];
  presence.onGone(() => told.push('a'));
  const forget = presence.onGone(() => told.push('b'));
  forget();
  expect(presence.isGone()).toBe(false);
  presence.leave();
  presence.leave();
  presence.onGone(() => told.push('c'));
  expect([presence.isGone(), told]).toEqual([true, ['a', 'c']]);
});

test('all are gone when the last one is, and nobody is not gone', () => {
  const [a, b] = [new OwnPresence(), new OwnPresence()];
  const all = presenceOfAll([a, b]);
  a.leave();
  a.leave();
  expect(all.isGone()).toBe(false);
  b.leave();
  expect([all.isGone(), presenceOfAll([]).isGone()]).toEqual([true, false]);
});
