// The report of a sample ratio mismatch from exposures: what counts, and what names Earshot as the cause.
import { describe, expect, test } from 'vitest';
import { checkRatio } from '../../../../ops/experiment/srm.ts';
import type { ArchivedExposure } from '../../../../shared/domain/experiments/archive.ts';
import { assign } from '../../../../shared/domain/experiments/assign.ts';
import type { Experiment } from '../../../../shared/domain/experiments/schema.ts';
import { parseManifest, type Surface } from '../../../../shared/domain/manifest.ts';
import { createChance } from '../../../support/chance.ts';

const experimentWith = (salt: string): Experiment => ({
  ...{ surface: 'home', layer: 'home', salt, state: 'running', slots: [[0, 10_000]], control: 'control' },
  arms: [
    { variant: 'control', buckets: [[0, 5_000]] },
    { variant: 'knn', buckets: [[5_000, 10_000]] },
  ],
});
const variants = ['control', 'knn'].map((name) => ({ name, weight: 1, current: 1_795_402_800_000 }));
const manifestWith = (salt: string) =>
  parseManifest(
    JSON.stringify({
      ...{ version: 1, erasures: [], experiments: { x: experimentWith(salt) } },
      surfaces: { home: { salt: 'home-1', listTtlSeconds: 600, variants } },
    }),
  );

/** Users by their real assignment, over three regions, four tiers and two countries. */
function makeExposures(count: number, salt: string, seed: number): ArchivedExposure[] {
  const manifest = manifestWith(salt);
  const home = manifest.surfaces.home as Surface;
  const chance = createChance(seed);
  return Array.from({ length: count }, (_, i) => {
    const { variant } = assign(manifest, 'home', home, `u:${seed}:${i}`);
    const region = chance.pick(['asia', 'europe', 'us']);
    return {
      ...{ id: `id-${i}`, atMs: i, userRef: `ref-${i}`, experiment: 'x', arm: variant.name, salt, reason: 'bucket' },
      ...{ hour: 500_000 },
      ...{ generation: 1, source: 'personal', tier: chance.pick(['isolate', 'colo', 'region', 'origin']), region },
      country: chance.pick(['SE', 'DE']),
    } as ArchivedExposure;
  });
}

const SALT = 'x-1';
const EXPERIMENT = experimentWith(SALT);

test('20 fair runs raise no alarm, and name no cause', () => {
  for (let seed = 1; seed <= 20; seed++) {
    const salt = `x-${seed}`;
    const report = checkRatio('x', experimentWith(salt), makeExposures(12_000, salt, seed));
    expect([seed, report.verdict === 'alarm', report.causes]).toEqual([seed, false, []]);
  }
});

describe('a loss of one arm is found', () => {
  test.each([
    [12_000, 0.1],
    [400_000, 0.02],
  ])('of %d exposures, a share of %d', (count, share) => {
    const chance = createChance(7);
    const kept = makeExposures(count, SALT, 3).filter(({ arm }) => arm === 'control' || !chance.is(share));
    expect(checkRatio('x', EXPERIMENT, kept)).toMatchObject({ verdict: 'alarm', crossovers: 0 });
  });
});

test('a loss in one region names the region, and a loss everywhere names none', () => {
  const all = makeExposures(12_000, SALT, 5);
  const chance = createChance(8);
  const inOne = all.filter(({ arm, region }) => arm === 'control' || region !== 'europe' || !chance.is(0.3));
  expect(checkRatio('x', EXPERIMENT, inOne).causes).toEqual(['without the region europe there is no mismatch']);
  const everywhere = all.filter(({ arm }) => arm === 'control' || !chance.is(0.3));
  expect(checkRatio('x', EXPERIMENT, everywhere).causes).toEqual([]);
});

test('a region that falls back to the popular list for one arm is named, although no user is missing', () => {
  const chance = createChance(9);
  const exposures = makeExposures(12_000, SALT, 6).map((each): ArchivedExposure => {
    const isWorse = each.arm === 'knn' && each.region === 'us' && chance.is(0.3);
    return isWorse ? { ...each, source: 'popular' } : each;
  });
  const { verdict, causes } = checkRatio('x', EXPERIMENT, exposures);
  expect(verdict).toBe('ok');
  expect(causes).toEqual([
    expect.stringMatching(/^the region us serves the popular list by arm: control 0\.0 %, knn (29|30|31)\.\d %$/),
  ]);
});

test('caches that are colder for an arm, and a release that covers fewer users, are no fault of Earshot', () => {
  const chance = createChance(10);
  const colder = makeExposures(12_000, SALT, 11).map((each): ArchivedExposure => {
    const isHit = chance.is(each.arm === 'knn' ? 0.1 : 0.5);
    return { ...each, tier: isHit ? 'colo' : 'origin' };
  });
  expect(checkRatio('x', EXPERIMENT, colder)).toMatchObject({ verdict: 'ok', causes: [], notes: [] });
  // Nor if the app loses exposures of the arm, wherever they come from.
  const lossy = colder.filter(({ arm }) => arm === 'control' || !chance.is(0.2));
  expect(checkRatio('x', EXPERIMENT, lossy)).toMatchObject({ verdict: 'alarm', causes: [] });
  const fewer = colder.map((each): ArchivedExposure => {
    return each.arm === 'knn' && chance.is(0.05) ? { ...each, source: 'popular' } : each;
  });
  const { causes, notes } = checkRatio('x', EXPERIMENT, fewer);
  expect(causes).toEqual([]);
  expect(notes).toEqual([expect.stringMatching(/^every region serves the popular list by arm, .*control 0\.0 %/)]);
});

test('users who came under other shares of the arms are in no count', () => {
  const since = 500_000 * 3_600_000 + 1_800_000;
  const grown = { ...EXPERIMENT, sharesSinceMs: since };
  const before = makeExposures(4_000, SALT, 12).filter(({ arm }, i) => arm === 'control' || i % 3 === 0);
  expect(checkRatio('x', EXPERIMENT, before).verdict).toBe('alarm');
  expect(checkRatio('x', grown, before)).toMatchObject({ verdict: 'ok', users: 0 });
  const after = makeExposures(4_000, SALT, 13).map((each) => ({ ...each, hour: 500_001 }));
  expect(checkRatio('x', grown, [...before, ...after])).toMatchObject({ verdict: 'ok', users: 4_000 });
});

test('each user counts once; a user in two arms, of another salt, or on the allow list counts in none', () => {
  const base = makeExposures(1_000, SALT, 2);
  const [first, second] = base as [ArchivedExposure, ArchivedExposure];
  const other = first.arm === 'knn' ? 'control' : 'knn';
  const report = checkRatio('x', EXPERIMENT, [
    ...base,
    ...base.map((each) => ({ ...each, id: `${each.id}-again`, atMs: each.atMs + 5_000 })),
    { ...first, id: 'crossed', arm: other },
    { ...second, id: 'old', userRef: 'old', salt: 'x-0' },
    { ...second, id: 'allowed', userRef: 'allowed', reason: 'allowed' },
    { ...second, id: 'gone', userRef: 'gone', arm: 'an-arm-that-is-gone' },
    { ...second, id: 'else', userRef: 'else', experiment: 'y' },
  ]);
  expect(report).toMatchObject({ crossovers: 1, users: 999 });
});
