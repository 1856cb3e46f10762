// The assignment of users to arms: public vectors, shares, independence of layers, the users that a change moves.
import { describe, expect, test } from 'vitest';
import { type Attributes, assign, bucketOf } from '../../../../../shared/domain/experiments/assign.ts';
import { BUCKETS, type Experiment, takeFree } from '../../../../../shared/domain/experiments/schema.ts';
import { POPULAR_USER, toName } from '../../../../../shared/domain/ids.ts';
import { makeUserHash } from '../../../../../shared/domain/keys.ts';
import { type Manifest, parseManifest, type Surface } from '../../../../../shared/domain/manifest.ts';
import vectors from './vectors.json' with { type: 'json' };

const GENERATION = 1_795_402_800_000;
const variant = (name: string, weight: number) => ({ name: toName(name), weight, current: GENERATION });
const HOME: Surface = {
  salt: 'home-1',
  listTtlSeconds: 60,
  variants: [variant('control', 10_000), ...['a', 'b', 'c', 'd'].map((name) => variant(name, 0))],
};

const experimentOf = (names: readonly string[], changes: Partial<Experiment> = {}): Experiment => ({
  ...{ surface: 'home', layer: 'one', salt: 'x-1', state: 'running', slots: [[0, BUCKETS]], control: 'control' },
  arms: names.map((name, i) => ({
    variant: name,
    buckets: [[Math.round((i * BUCKETS) / names.length), Math.round(((i + 1) * BUCKETS) / names.length)]],
  })),
  ...changes,
});

const manifestOf = (experiments: Readonly<Record<string, Experiment>>): Pick<Manifest, 'experiments'> => ({
  experiments: { ...experiments },
});
const armOf = (manifest: Pick<Manifest, 'experiments'>, user: string, attributes?: Attributes): string => {
  const { variant: chosen, reason } = assign(manifest, 'home', HOME, user, attributes && (() => attributes));
  return reason === 'weight' ? 'none' : chosen.name;
};
const usersOf = (count: number): string[] => Array.from({ length: count }, (_, i) => `u:${i}`);

test('the vectors for 1 000 users hold', () => {
  const manifest = parseManifest(JSON.stringify(vectors.manifest));
  for (const { user, country, claims, ...expected } of vectors.users) {
    for (const name of ['home', 'radio'] as const) {
      const surface = manifest.surfaces[name] as Surface;
      const own = claims as Readonly<Record<string, string>>;
      const found = assign(manifest, name, surface, user, () => ({ country: country ?? undefined, claims: own }));
      expect([user, found.variant.name, found.experiment, found.reason]).toEqual([user, ...expected[name]]);
    }
  }
});

describe('1 000 000 users', () => {
  test.each([2, 3, 4, 5])('have %i arms within sampling error', (arms) => {
    const names = ['control', 'a', 'b', 'c', 'd'].slice(0, arms);
    const manifest = manifestOf({ x: experimentOf(names) });
    const counts = new Map<string, number>();
    const count = 1_000_000;
    for (let i = 0; i < count; i++) {
      const arm = armOf(manifest, `u:${i}`);
      counts.set(arm, (counts.get(arm) ?? 0) + 1);
    }
    const share = 1 / arms;
    const error = Math.sqrt((share * (1 - share)) / count);
    for (const name of names) expect(Math.abs((counts.get(name) ?? 0) / count - share)).toBeLessThan(4 * error);
  });
});

test('two layers are independent: chi-squared of the cross table', () => {
  const cross = Array.from({ length: 10 }, () => new Array<number>(10).fill(0));
  const count = 200_000;
  for (let i = 0; i < count; i++) {
    const [one, two] = [bucketOf('one', `u:${i}`), bucketOf('two', `u:${i}`)];
    const row = cross[Math.floor(one / 1000)] as number[];
    row[Math.floor(two / 1000)] = (row[Math.floor(two / 1000)] ?? 0) + 1;
  }
  const expected = count / 100;
  const chiSquared = cross.flat().reduce((sum, found) => sum + (found - expected) ** 2 / expected, 0);
  // 99 degrees of freedom: 148.2 is exceeded once in a thousand.
  expect(chiSquared).toBeLessThan(148.2);
});

describe('nobody moves', () => {
  const users = usersOf(50_000);
  const tenPercent = experimentOf([], {
    arms: [
      { variant: 'control', buckets: [[0, 1000]] },
      { variant: 'a', buckets: [[1000, 2000]] },
    ],
  });

  test('who is in when an arm grows from 10 to 20 percent', () => {
    const grown = [[1000, 2000] as const, ...(takeFree([[0, 2000]], 1000) ?? [])];
    const [control] = tenPercent.arms;
    const arms = [control as (typeof tenPercent.arms)[number], { variant: 'a', buckets: grown }];
    const [before, after] = [manifestOf({ x: tenPercent }), manifestOf({ x: { ...tenPercent, arms } })];
    const moved = users.filter((user) => armOf(before, user) !== armOf(after, user));
    expect(moved.length / users.length).toBeCloseTo(0.1, 2);
    expect(moved.every((user) => armOf(before, user) === 'none' && armOf(after, user) === 'a')).toBe(true);
  });

  test('when the intake is closed', () => {
    const [before, after] = [manifestOf({ x: tenPercent }), manifestOf({ x: { ...tenPercent, state: 'closed' } })];
    expect(users.filter((user) => armOf(before, user) !== armOf(after, user))).toEqual([]);
  });

  test('when another experiment takes free slots', () => {
    const half = { ...tenPercent, slots: [[0, 5000]] } as Experiment;
    const other = experimentOf(['control', 'b'], { salt: 'y-1', slots: [[5000, 10_000]] });
    const [before, after] = [manifestOf({ x: half }), manifestOf({ x: half, y: other })];
    const moved = users.filter((user) => armOf(before, user) !== armOf(after, user));
    expect(moved.length).toBeGreaterThan(20_000);
    expect(moved.every((user) => armOf(before, user) === 'none')).toBe(true);
  });
});

test('a new salt draws every user again', () => {
  const [one, two] = ['x-1', 'x-2'].map((salt) => manifestOf({ x: experimentOf(['control', 'a'], { salt }) }));
  const same = usersOf(20_000).filter((user) => armOf(one ?? {}, user) === armOf(two ?? {}, user));
  expect(same.length / 20_000).toBeCloseTo(0.5, 1);
});

test('targeting needs the country and every claim, and nothing inherited', () => {
  const targeting = { countries: ['NO'], claims: { plan: ['premium', 'family'] } };
  const manifest = manifestOf({ x: experimentOf(['control', 'a'], { targeting }) });
  const inIt = { country: 'NO', claims: { plan: 'family' } };
  expect(armOf(manifest, 'u:1', inIt)).not.toBe('none');
  for (const out of [{}, { country: 'NO' }, { ...inIt, country: 'SE' }, { ...inIt, claims: { plan: 'free' } }])
    expect(armOf(manifest, 'u:1', out)).toBe('none');
  const inherited = manifestOf({ x: experimentOf(['a'], { control: 'a', targeting: { claims: { toString: [''] } } }) });
  expect(armOf(inherited, 'u:1', { claims: {} })).toBe('none');
});

test('an allowed user gets the arm whatever the slot, a held-out one the control, and the popular list neither', () => {
  const allow = { a: [makeUserHash('u:1')] };
  const manifest = manifestOf({ x: experimentOf(['control', 'a'], { slots: [], allow }) });
  expect(assign(manifest, 'home', HOME, 'u:1')).toMatchObject({ variant: { name: 'a' }, reason: 'allowed' });
  const holdouts = { global: { salt: 'h', share: BUCKETS } };
  expect(assign({ ...manifest, holdouts }, 'home', HOME, 'u:1')).toMatchObject({
    ...{ variant: { name: 'control' }, experiment: 'holdout', reason: 'holdout' },
  });
  expect(assign({ ...manifest, holdouts }, 'home', HOME, POPULAR_USER).reason).toBe('weight');
});

test('an arm whose variant is gone has no users', () => {
  const manifest = manifestOf({ x: experimentOf(['gone'], { control: 'gone' }) });
  expect(assign(manifest, 'home', HOME, 'u:1')).toMatchObject({
    reason: 'weight',
    experiment: 'home',
    salt: 'home-1',
  });
});
