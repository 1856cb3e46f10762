import { expect, test } from 'vitest';
import { distanceKm } from '../../../../shared/domain/regions.ts';

const frankfurt = { latitude: 50.03, longitude: 8.57 };
const tokyo = { latitude: 35.76, longitude: 140.39 };

test('distances are those of the great circle', () => {
  expect(distanceKm(frankfurt, tokyo)).toBeCloseTo(9350, -2);
  expect(distanceKm({ latitude: 0, longitude: 179 }, { latitude: 0, longitude: -179 })).toBeCloseTo(222.4, 0);
  expect(distanceKm({ latitude: 0, longitude: 0 }, { latitude: 0, longitude: 180 })).toBeCloseTo(20_015, 0);
});

test('a distance is the same both ways, and zero to itself', () => {
  expect(distanceKm(frankfurt, tokyo)).toBeCloseTo(distanceKm(tokyo, frankfurt), 9);
  expect(distanceKm(tokyo, tokyo)).toBe(0);
});
