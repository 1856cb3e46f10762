import { expect, test } from 'vitest';
import { liveAgesOf } from '../../../../origin/metrics/live-ages.ts';
import { EMPTY_MANIFEST, manifestSchema } from '../../../../shared/domain/manifest.ts';

const HOUR_MS = 3_600_000;
const NOW = 1_795_500_000_000;

test('the age of a surface is that of its oldest variant with reads', () => {
  const variant = (name: string, weight: number, hours: number) => ({ name, weight, current: NOW - hours * HOUR_MS });
  const manifest = manifestSchema.parse({
    version: 1,
    surfaces: {
      home: {
        salt: 's',
        listTtlSeconds: 60,
        variants: [variant('a', 60, 2), variant('b', 40, 26), variant('c', 0, 90)],
      },
      charts: { salt: 's', listTtlSeconds: 60, variants: [variant('a', 100, 1)] },
    },
    erasures: [],
  });
  expect(liveAgesOf(manifest, NOW)).toEqual([
    { surface: 'home', seconds: 26 * 3600 },
    { surface: 'charts', seconds: 3600 },
  ]);
  expect(liveAgesOf(EMPTY_MANIFEST, NOW)).toEqual([]);
});
