import { describe, expect, test } from 'vitest';
import { isKnownSwitch, namesFor, switchesAt } from '../../../../../shared/domain/effects/switches.ts';
import { EMPTY_MANIFEST } from '../../../../../shared/domain/manifest.ts';

const NOW_MS = 1_795_410_000_000;
const at = (switches: Readonly<Record<string, [value: string, untilMs: number]>>, nowMs = NOW_MS) =>
  switchesAt(
    {
      ...EMPTY_MANIFEST,
      switches: Object.fromEntries(
        Object.entries(switches).map(([name, [value, untilMs]]) => [name, { value, untilMs }]),
      ),
    },
    nowMs,
  );

describe('isKnownSwitch', () => {
  test.each([
    ['region-tier', 'off', true],
    ['colo-tier', 'off', true],
    ['hedging', 'off', true],
    ['hedging', 'on', false],
    ['region.asia', 'avoid', true],
    ['region.asia', 'off', false],
    ['region.', 'avoid', false],
    ['surface.home', 'popular', true],
    ['surface.home', 'off', true],
    ['surface.home', 'on', false],
    ['surface.home.list-ttl', '60', true],
    ['surface.home.list-ttl', '0', false],
    ['surface.home.list-ttl', '604801', false],
    ['surface.home.list-ttl', '1e3', false],
    ['shadow', '0.01', true],
    ['shadow', '1', true],
    ['shadow', '0', false],
    ['shadow', '1.5', false],
    ['constructor', 'off', false],
  ])('%s=%s: %s', (name, value, isKnown) => {
    expect(isKnownSwitch(name, value)).toBe(isKnown);
  });
});

test('switches end one by one, by the clock alone', () => {
  const manifest = {
    ...EMPTY_MANIFEST,
    switches: {
      hedging: { value: 'off', untilMs: NOW_MS + 10 },
      shadow: { value: '0.5', untilMs: NOW_MS + 20 },
      'surface.home': { value: 'popular', untilMs: NOW_MS + 20 },
    },
  };
  expect(switchesAt(manifest, NOW_MS)).toMatchObject({
    isHedgingOff: true,
    shadowShare: 0.5,
    common: 'hedging+shadow',
  });
  expect(switchesAt(manifest, NOW_MS)).toBe(switchesAt(manifest, NOW_MS + 9));
  const later = switchesAt(manifest, NOW_MS + 10);
  expect(later).toMatchObject({ isHedgingOff: false, shadowShare: 0.5 });
  expect(later && namesFor(later, 'home')).toBe('surface.home+shadow');
  expect(later && namesFor(later, 'radio')).toBe('shadow');
  expect(switchesAt(manifest, NOW_MS + 20)).toBeUndefined();
});

test('an unknown switch has no effect, and none is none', () => {
  expect(at({ 'warp-drive': ['on', NOW_MS + 1] })).toMatchObject({ common: '' });
  expect(switchesAt(EMPTY_MANIFEST, NOW_MS)).toBeUndefined();
});
