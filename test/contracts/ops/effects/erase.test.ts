// Erasures against the embedded Bigtable: hidden, deleted in every cluster, remembered, and resumed.
import { expect, test } from 'vitest';
import { runErasure } from '../../../../ops/effects/erase.ts';
import {
  beginErasure,
  findOpenErasures,
  forgetUsers,
  listErasures,
  makeErasureId,
  readErasedUsers,
  readErasure,
} from '../../../../ops/effects/erasure-record.ts';
import { readKeepOut } from '../../../../ops/effects/keep-out.ts';
import { findRows } from '../../../../ops/effects/user-rows.ts';
import { readLive } from '../../../../ops/release/live.ts';
import { readDocument } from '../../../../origin/bigtable/document-row.ts';
import { readRows } from '../../../../origin/bigtable/read-rows.ts';
import { createDocuments } from '../../../../origin/manifest/documents.ts';
import { HIDDEN_MS } from '../../../../shared/domain/effects/erasure-document.ts';
import { erasedAtMs } from '../../../../shared/domain/effects/erasure-fence.ts';
import { toName, toUserId, type UserId } from '../../../../shared/domain/ids.ts';
import { makeUserHash } from '../../../../shared/domain/keys.ts';
import { systemClock } from '../../../../shared/runtime/clock.ts';
import { controlOf, MONDAY, REGIONS, startInstance, TIMEOUT_MS, TUESDAY, writeList } from '../../origin/instance.ts';

const users = ['ann', 'bob', 'eve'].map(toUserId);

async function start() {
  const { bigtable, server } = await startInstance();
  const control = controlOf(bigtable);
  for (const user of [...users, toUserId('zoe')])
    for (const generation of [MONDAY, TUESDAY])
      await writeList(bigtable, { surface: toName('home'), variant: toName('control'), generation, user }, 'x');
  const deps = {
    control,
    regions: [...REGIONS],
    origins: undefined,
    sampleEdge: undefined,
    waitMs: 2_000,
    say: () => undefined,
  };
  const documents = createDocuments((name) => readDocument(bigtable, 'control', name, TIMEOUT_MS));
  return {
    ...{ bigtable, server, control, deps },
    rowsIn: (region: string) => findRows(control, region, [...users, toUserId('zoe')]),
    /** Moment of the erasure, as a reader of the manifest has it. */
    erasedAt: async (user: string) => erasedAtMs(await documents.hold(await readLive(control)), user),
    begin: async (of: readonly UserId[], keepOut = false) => {
      const id = makeErasureId(systemClock.now());
      const refs = of.map((user) => `ref-of-${user.length}-${of.indexOf(user)}`);
      const about = { format: 1, state: 'hiding', users: of.length, refs, keepOut, by: 'ops', why: 'asked' } as const;
      await beginErasure(control, id, { ...about, sinceMs: systemClock.now(), pendingRegions: [] }, of);
      const begun = await readErasure(control, id);
      if (begun === undefined) throw new Error('expected the record');
      return begun;
    },
  };
}

test('deletes the rows in every cluster, remembers the moment, and keeps no id', async () => {
  const { bigtable, deps, control, begin, rowsIn, erasedAt } = await start();
  const beganAtMs = systemClock.now();
  const done = await runErasure(deps, await begin(users, true), users);
  expect(done).toMatchObject({ state: 'done', pendingRegions: [] });
  for (const region of REGIONS) expect(await rowsIn(region)).toEqual(['zoe']);
  expect(await erasedAt('ann')).toBe(done.finalMs);
  expect(done.finalMs).toBeGreaterThan(beganAtMs);
  expect(await erasedAt('zoe')).toBe(0);
  // Readers of before know the manifest alone.
  const { erasures } = await readLive(control);
  expect(erasures).toContainEqual({ userHash: makeUserHash('ann'), atMs: done.finalMs });
  expect([...(await readKeepOut(control)).keys()]).toEqual(done.refs);
  const rows = await readRows(bigtable, {
    table: 'control',
    appProfile: 'control',
    rows: {},
    filter: { cellsPerColumnLimitFilter: 100 },
    timeoutMs: TIMEOUT_MS,
  });
  const text = rows.map(({ key, cells }) => `${key}${cells.map(({ value }) => value)}`).join('\n');
  for (const user of users) expect(text).not.toContain(`"${user}"`);
  expect(await findOpenErasures(control)).toEqual([]);
});

test('a cluster that is down leaves the users hidden, and a later run ends it', async () => {
  const { server, deps, control, begin, rowsIn, erasedAt } = await start();
  server.setFault('europe', { down: true });
  const begun = await begin(users);
  const hidden = await runErasure(deps, begun, users);
  expect(hidden).toMatchObject({ state: 'hidden', pendingRegions: ['europe'] });
  expect(await erasedAt('bob')).toBe(HIDDEN_MS);
  expect(await findOpenErasures(control)).toMatchObject([{ id: begun.id }]);
  server.setFault('europe', {});
  const again = await readErasure(control, begun.id);
  const known = await readErasedUsers(control, begun.id);
  expect(known).toEqual(users);
  expect(await runErasure(deps, again ?? begun, known ?? [])).toMatchObject({ state: 'done' });
  expect(await rowsIn('europe')).toEqual(['zoe']);
  expect(Number.isFinite(await erasedAt('bob'))).toBe(true);
});

test('two at once are both done, and each of their users is erased', async () => {
  const { deps, control, begin, erasedAt } = await start();
  const [first, second] = [await begin(['ann', 'bob'].map(toUserId)), await begin(['bob', 'eve'].map(toUserId))];
  const ended = await Promise.all([
    runErasure(deps, first, ['ann', 'bob'].map(toUserId)),
    runErasure(deps, second, ['bob', 'eve'].map(toUserId)),
  ]);
  expect(ended.map(({ state }) => state)).toEqual(['done', 'done']);
  for (const user of users) expect(await erasedAt(user)).toBeGreaterThan(0);
  for (const user of users) expect(await erasedAt(user)).toBeLessThan(HIDDEN_MS);
  expect((await listErasures(control)).map(({ state }) => state)).toEqual(['done', 'done']);
});

test('every state can be run again, as after a kill', async () => {
  const { deps, begin, erasedAt } = await start();
  for (const state of ['hiding', 'hidden', 'deleted'] as const) {
    const begun = await begin(users);
    expect(await runErasure(deps, { ...begun, state }, users)).toMatchObject({ state: 'done' });
    expect(await erasedAt('eve')).toBeLessThan(HIDDEN_MS);
  }
});

test('a process that is late does not hide the users again', async () => {
  const { deps, begin, erasedAt } = await start();
  const begun = await begin(users);
  const done = await runErasure(deps, begun, users);
  expect(await runErasure(deps, begun, users)).toMatchObject({ state: 'done', finalMs: done.finalMs });
  expect(await erasedAt('ann')).toBe(done.finalMs);
});

test('the end of one erasure does not show a user whom another one still hides', async () => {
  const { server, deps, begin, erasedAt } = await start();
  const [ann, bob] = ['ann', 'bob'].map(toUserId) as [UserId, UserId];
  const first = await begin([ann, bob]);
  server.setFault('europe', { down: true });
  const second = await begin([bob]);
  expect(await runErasure(deps, second, [bob])).toMatchObject({ state: 'hidden' });
  server.setFault('europe', {});
  // The first one had deleted its rows when it was killed.
  expect(await runErasure(deps, { ...first, state: 'deleted' }, [ann, bob])).toMatchObject({ state: 'done' });
  expect(await erasedAt('ann')).toBeLessThan(HIDDEN_MS);
  expect(await erasedAt('bob')).toBe(HIDDEN_MS);
  const done = await runErasure(deps, { ...second, state: 'hidden' }, [bob]);
  expect(await erasedAt('bob')).toBe(done.finalMs);
});

test('a cluster without a row of the user, but behind, leaves the user hidden', async () => {
  const { bigtable, server, deps, begin, erasedAt } = await start();
  const fay = toUserId('fay');
  server.stopReplication('europe');
  await writeList(
    bigtable,
    { surface: toName('home'), variant: toName('control'), generation: TUESDAY, user: fay },
    'x',
  );
  const begun = await begin([fay]);
  const hidden = await runErasure(deps, begun, [fay]);
  expect(hidden).toMatchObject({ state: 'hidden', pendingRegions: [...REGIONS] });
  expect(await erasedAt('fay')).toBe(HIDDEN_MS);
  server.resumeReplication('europe');
  expect(await runErasure(deps, { ...begun, state: 'hidden' }, [fay])).toMatchObject({ state: 'done' });
  expect(await findRows(deps.control, 'europe', [fay])).toEqual([]);
});

test('an erasure that was taken for dead as it began hides no user', async () => {
  const { deps, control, begin, erasedAt } = await start();
  const begun = await begin(users);
  await forgetUsers(control, begun.id);
  await expect(runErasure(deps, begun, users)).rejects.toThrow('another command took it for dead');
  expect(await erasedAt('ann')).toBe(0);
});

test('a proof that fails leaves the ids, so that it can be repeated', async () => {
  const { deps, control, begin } = await start();
  const begun = await begin(users);
  const failing = { ...deps, verify: () => Promise.reject(new Error('the edge has 1 list')) };
  await expect(runErasure(failing, begun, users)).rejects.toThrow('the edge has 1 list');
  expect(await readErasedUsers(control, begun.id)).toEqual(users);
  const again = await readErasure(control, begun.id);
  expect(await runErasure(deps, again ?? begun, users)).toMatchObject({ state: 'done' });
  expect(await readErasedUsers(control, begun.id)).toBeUndefined();
});
