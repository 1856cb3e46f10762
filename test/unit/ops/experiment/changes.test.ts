// The changes of experiments: growth into free ranges, refusals, and the number of users that each moves.
import { describe, expect, test } from 'vitest';
import {
  closeExperiment,
  createExperiment,
  type ExperimentForm,
  type NewExperiment,
  removeExperiment,
  restartExperiment,
  setExperiment,
  startExperiment,
  stopExperiment,
} from '../../../../ops/experiment/changes.ts';
import { countMoves, SAMPLE } from '../../../../ops/experiment/moves.ts';
import { setHoldout } from '../../../../ops/experiment/surface-changes.ts';
import { assign } from '../../../../shared/domain/experiments/assign.ts';
import { type Manifest, parseManifest, type Surface } from '../../../../shared/domain/manifest.ts';

const variants = ['control', 'knn', 'mf'].map((name, i) => ({
  name,
  weight: i === 0 ? 10_000 : 0,
  current: 1_795_402_800_000,
}));
const EMPTY = parseManifest(
  JSON.stringify({
    ...{ version: 1, erasures: [] },
    surfaces: {
      home: { salt: 'home-1', listTtlSeconds: 600, variants },
      radio: { salt: 'radio-1', listTtlSeconds: 600, variants },
    },
  }),
);
const arms = (shares: object): ReadonlyMap<string, number> => new Map(Object.entries(shares));
const HALVES = arms({ control: 5_000, knn: 5_000 });
const created = (form: Partial<NewExperiment> = {}, live = EMPTY, name = 'x') =>
  createExperiment(live, name, { surface: 'home', arms: HALVES, ...form });
const running = (form: Partial<NewExperiment> = {}, live = EMPTY, name = 'x') =>
  startExperiment(created(form, live, name), name);
const NOW = 1_796_000_000_000;
const set = (live: Manifest, name: string, form: ExperimentForm) => setExperiment(live, name, form, NOW);
const experimentOf = ({ experiments }: Manifest, name = 'x') => experiments?.[name];

describe('a new experiment', () => {
  test('is a draft with free slots of its layer, and moves nobody', () => {
    const first = created({ size: 2_000 });
    expect(experimentOf(first)).toMatchObject({
      ...{ state: 'draft', layer: 'home', salt: 'x-1', control: 'control', slots: [[0, 2_000]] },
      arms: [
        { variant: 'control', buckets: [[0, 5_000]] },
        { variant: 'knn', buckets: [[5_000, 10_000]] },
      ],
    });
    expect(countMoves(EMPTY, first, 'home')).toEqual([]);
    expect(experimentOf(created({ size: 1_000 }, first, 'y'), 'y')?.slots).toEqual([[2_000, 3_000]]);
    expect(experimentOf(created({}, first, 'y'), 'y')?.slots).toEqual([[2_000, 10_000]]);
    expect(parseManifest(JSON.stringify(first))).toEqual(first);
  });

  test.each<[string, Partial<NewExperiment>, RegExp]>([
    ['a surface that is not live', { surface: 'shelf' }, /expected a live surface, got shelf \(live are home, radio\)/],
    ['taken slots', { slots: [[500, 600]] }, /expected free slots of the layer home, got 500-599 \(taken are 0-1999\)/],
    ['more than is free', { size: 9_000 }, /expected the layer home to have 90 % free, got 80 %/],
    ['arms of more than 100 %', { arms: arms({ control: 6_000, knn: 6_000 }) }, /at most 100 % together; knn=60 %/],
    ['a used salt', { salt: 'other-1' }, /expected a salt that nothing has used, got other-1 of the experiment other/],
  ])('with %s is refused', (_case, form, message) => {
    const live = created({ size: 2_000 }, EMPTY, 'other');
    expect(() => created(form, live)).toThrow(message);
  });

  test('with a name that is taken is refused', () => {
    expect(() => created({}, created())).toThrow('expected a new name, got x, which is draft');
    expect(() => created({}, EMPTY, 'home')).toThrow(/another name than the surface's/);
  });
});

test('a start lets users in: from the weights into the arms', () => {
  const draft = created({ size: 2_000 });
  const moves = countMoves(draft, startExperiment(draft, 'x'), 'home');
  expect(moves.map(({ from, to }) => [from, to]).sort()).toEqual([
    ['home/control', 'x/control'],
    ['home/control', 'x/knn'],
  ]);
  for (const { users } of moves) expect(Math.abs(users / SAMPLE - 0.1)).toBeLessThan(0.005);
});

test('an arm without a live release cannot start', () => {
  const draft = created({ arms: arms({ control: 5_000, later: 5_000 }) });
  expect(() => startExperiment(draft, 'x')).toThrow('expected each arm to have a live release, got none of home/later');
});

describe('growth', () => {
  test('of an arm takes free buckets: nobody who is in moves', () => {
    const live = running({ arms: arms({ control: 1_000, knn: 1_000 }) });
    const grown = set(live, 'x', { arms: arms({ knn: 2_000 }) });
    const moves = countMoves(live, grown, 'home');
    expect(moves).toEqual([{ from: 'home/control', to: 'x/knn', users: expect.any(Number) }]);
    expect(Math.abs((moves[0]?.users ?? 0) / SAMPLE - 0.1)).toBeLessThan(0.005);
    expect(experimentOf(grown)?.arms[1]?.buckets).toEqual([[1_000, 3_000]]);
  });

  test('of the experiment takes free slots', () => {
    const other = running({ size: 1_000 }, running({ size: 1_000 }), 'y');
    const grown = set(other, 'x', { size: 3_000 });
    expect(experimentOf(grown)?.slots).toEqual([
      [0, 1_000],
      [2_000, 4_000],
    ]);
    expect(countMoves(other, grown, 'home').every(({ from }) => from === 'home/control')).toBe(true);
    expect(countMoves(other, grown, 'home')).toEqual(countMoves(other, grown, 'home'));
  });

  test.each<[string, ExperimentForm, RegExp]>([
    [
      'a smaller arm',
      { arms: arms({ knn: 4_000 }) },
      /knn has 50 % of the experiment: less would move users .*restart/,
    ],
    ['a smaller experiment', { size: 1_000 }, /x has 20 % of the layer: less would move users/],
    ['other slots', { slots: [[5_000, 7_000]] }, /x has slots 0-1999: less would move users/],
    ['other targeting', { targeting: { countries: ['SE'] } }, /it needs a restart/],
    ['another control', { control: 'knn' }, /it needs a restart/],
    ['an arm beyond 100 %', { arms: arms({ mf: 1 }) }, /mf=0.01 % is too much \(free are 0 %\)/],
  ])('is refused for %s', (_case, form, message) => {
    expect(() => set(running({ size: 2_000 }), 'x', form)).toThrow(message);
  });

  test('a draft may shrink, and keeps what is not named', () => {
    const draft = created({ size: 2_000, targeting: { countries: ['SE'] } });
    const changed = set(draft, 'x', { arms: arms({ control: 100, knn: 100 }) });
    expect(experimentOf(changed)).toMatchObject({
      ...{ state: 'draft', salt: 'x-1', slots: [[0, 2_000]], targeting: { countries: ['SE'] } },
      arms: [{ buckets: [[0, 100]] }, { buckets: [[100, 200]] }],
    });
    expect(experimentOf(set(draft, 'x', { size: 500 }))?.slots).toEqual([[0, 500]]);
  });
});

describe('the end', () => {
  test('closed, nothing grows and nobody moves', () => {
    const live = running();
    const closed = closeExperiment(live, 'x');
    expect(countMoves(live, closed, 'home')).toEqual([]);
    expect(() => set(closed, 'x', { size: 1 })).toThrow('expected x to be draft or running, got closed');
    expect(() => startExperiment(closed, 'x')).toThrow('expected x to be draft, got closed');
  });

  test('stopped, users are chosen by the weights, and the slots are free', () => {
    const live = running();
    const stopped = stopExperiment(live, 'x');
    expect(countMoves(live, stopped, 'home').map(({ to }) => to)).toEqual(['home/control', 'home/control']);
    expect(experimentOf(created({}, stopped, 'y'), 'y')?.slots).toEqual([[0, 10_000]]);
    expect(() => stopExperiment(stopped, 'x')).toThrow('x is stopped already');
  });

  test('a restart draws every arm again with a new salt, which may make arms smaller', () => {
    const live = running({ size: 4_000 });
    const again = restartExperiment(stopExperiment(live, 'x'), 'x', { arms: arms({ control: 9_000, knn: 1_000 }) });
    expect(experimentOf(again)).toMatchObject({
      state: 'running',
      salt: 'x-2',
      usedSalts: ['x-1'],
      slots: [[0, 4_000]],
    });
    const home = live.surfaces.home as Surface;
    const users = Array.from({ length: 20_000 }, (_, i) => `u:${i}`);
    const inKnn = (manifest: Manifest) =>
      new Set(users.filter((user) => assign(manifest, 'home', home, user).variant.name === 'knn'));
    const [before, after] = [inKnn(live), inKnn(again)];
    expect(after.size / users.length).toBeCloseTo(0.04, 2);
    expect([...after].filter((user) => before.has(user)).length / after.size).toBeCloseTo(0.5, 1);
    expect(() => restartExperiment(again, 'x', { salt: 'x-1' })).toThrow('got x-1 of the experiment x');
    expect(() => restartExperiment(created(), 'x', {})).toThrow('x is a draft');
  });
});

describe('salts', () => {
  test.each<[string, Partial<NewExperiment>, RegExp]>([
    ['its layer', { layer: 'genres', salt: 'genres' }, /got genres of the layer genres/],
    ['the layer of another', { layer: 'genres', salt: 'home' }, /got home of the layer home/],
    ['a holdout', { salt: 'holdout-1' }, /got holdout-1 of a holdout/],
    ['a removed one', { salt: 'gone-1' }, /got gone-1 of an experiment that was removed/],
  ])('that are those of %s are refused', (_case, form, message) => {
    const other = running({ size: 100 }, running({ size: 100 }, EMPTY, 'gone'), 'other');
    expect(() => created(form, removeExperiment(stopExperiment(other, 'gone'), 'gone'))).toThrow(message);
  });

  test('of layers are no salts of experiments or holdouts, and a made salt is none of a layer', () => {
    expect(() => created({ layer: 'holdout' })).toThrow('got holdout, which is the salt of a holdout');
    expect(() => created({ layer: 'other-1' }, created({ size: 100 }, EMPTY, 'other'))).toThrow(
      'of the experiment other',
    );
    expect(experimentOf(created({ layer: 'x-1' }))?.salt).toBe('x-2');
  });
});

describe('the allow list', () => {
  const ALLOWED = { knn: ['0123456789abcdef'] };

  test('grows by set, and a user leaves it by name', () => {
    const live = running({ allow: ALLOWED });
    const more = set(live, 'x', { allow: { control: ['00000000000000aa'] } });
    expect(experimentOf(more)?.allow).toEqual({ control: ['00000000000000aa'], ...ALLOWED });
    const moved = set(more, 'x', { allow: { control: ['0123456789abcdef'] } });
    expect(experimentOf(moved)?.allow).toEqual({ control: ['00000000000000aa', '0123456789abcdef'] });
    const left = set(moved, 'x', { disallow: ['00000000000000aa', '0123456789abcdef'] });
    expect(experimentOf(left)?.allow).toBeUndefined();
    expect(experimentOf(set(created({ allow: ALLOWED }), 'x', { size: 100 }))?.allow).toEqual(ALLOWED);
  });

  test('names arms only, and a restart without the arm drops it', () => {
    expect(() => created({ allow: { nope: ['0123456789abcdef'] } })).toThrow('to name an arm, got nope');
    const without = restartExperiment(running({ allow: ALLOWED }), 'x', { arms: arms({ control: 5_000 }) });
    expect(experimentOf(without)?.allow).toBeUndefined();
  });
});

test('a set that changes nothing is no change, and one of shares says since when they hold', () => {
  const live = running({ size: 2_000, arms: arms({ control: 1_000, knn: 1_000 }) });
  for (const form of [{}, { size: 2_000 }, { arms: arms({ knn: 1_000 }) }]) expect(set(live, 'x', form)).toBe(live);
  expect(set(created(), 'x', {})).toEqual(created());
  expect(experimentOf(set(live, 'x', { size: 3_000 }))?.sharesSinceMs).toBeUndefined();
  const grown = set(live, 'x', { arms: arms({ knn: 2_000 }) });
  expect(experimentOf(grown)?.sharesSinceMs).toBe(NOW);
  expect(experimentOf(restartExperiment(grown, 'x', {}))?.sharesSinceMs).toBeUndefined();
  expect(() => set(live, 'x', { salt: 'y' })).toThrow('it needs a restart');
});

test('a removed experiment leaves its salts', () => {
  const stopped = stopExperiment(restartExperiment(running(), 'x', {}), 'x');
  const removed = removeExperiment(stopped, 'x');
  expect([removed.experiments, removed.retiredSalts]).toEqual([{}, ['x-2', 'x-1']]);
  expect(experimentOf(created({}, removed))?.salt).toBe('x-3');
  expect(removeExperiment(created(), 'x').retiredSalts).toBeUndefined();
  expect(() => removeExperiment(running(), 'x')).toThrow('expected x to be draft or stopped, got running');
});

test('a holdout that ended draws other users when it begins again', () => {
  const first = setHoldout(EMPTY, undefined, 500);
  expect(first.holdouts?.global).toEqual({ salt: 'holdout-1', share: 500 });
  expect(setHoldout(first, undefined, 900).holdouts?.global).toEqual({ salt: 'holdout-1', share: 900 });
  const again = setHoldout(setHoldout(first, undefined, 0), undefined, 500);
  expect(again.holdouts?.global).toEqual({ salt: 'holdout-2', share: 500 });
  expect(setHoldout(EMPTY, 'home', 100).holdouts?.surfaces).toEqual({ home: { salt: 'holdout-home-1', share: 100 } });
  expect(countMoves(running(), setHoldout(running(), undefined, 1_000), 'home').map(({ to }) => to)).toEqual([
    'holdout/control',
    'holdout/control',
  ]);
});

test('a change of an unknown experiment names those that there are', () => {
  expect(() => stopExperiment(EMPTY, 'x')).toThrow('expected an experiment, got x (there are none)');
});
