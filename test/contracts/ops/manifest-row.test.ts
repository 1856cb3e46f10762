// The manifest in Bigtable: compare-and-set lets one writer win, and an invalid manifest is neither written nor
// accepted.
import { describe, expect, test } from 'vitest';
import { createManualClock } from '../../../bench/support/manual-clock.ts';
import type { Fault } from '../../../dev/bigtable/faults.ts';
import type { BigtableOptions } from '../../../dev/bigtable/server.ts';
import { readManifestRow, replaceManifest } from '../../../ops/bigtable/manifest-row.ts';
import { readManifest, type StoredManifest } from '../../../origin/bigtable/manifest-row.ts';
import { EMPTY_MANIFEST, type Manifest } from '../../../shared/domain/manifest.ts';
import { eventually, settleWith } from '../../support/waiting.ts';
import {
  controlOf,
  MONDAY,
  manifestOf,
  REGIONS,
  startEmptyInstance,
  startInstance,
  TIMEOUT_MS,
  writeManifestCell,
} from '../origin/instance.ts';

const NOW = 1_795_500_000_000;

async function startRow(options: BigtableOptions = {}) {
  const instance = await startInstance(options);
  const { bigtable } = instance;
  return {
    ...instance,
    read: (appProfile = 'control') => readManifest(bigtable, appProfile, TIMEOUT_MS),
    replace: (read: StoredManifest, next: Manifest, nowMs = NOW, appProfile = 'control') =>
      replaceManifest(controlOf(bigtable, appProfile), { read: read.cell, next, note: { what: 'test' }, nowMs }),
  };
}

test('before the first publication the manifest is empty and there is no cell', async () => {
  const { read } = await startRow();
  expect(await read()).toEqual({ manifest: EMPTY_MANIFEST, cell: undefined });
});

test('what was written is read, in every region, with the moment of writing', async () => {
  const { read, replace } = await startRow();
  expect(await replace(await read(), manifestOf(1))).toBe(true);
  for (const region of REGIONS) {
    const { manifest, cell } = await read(`serve-${region}`);
    expect(manifest).toEqual(manifestOf(1));
    expect(cell).toEqual({ json: Buffer.from(JSON.stringify(manifestOf(1))), writtenAtMs: NOW });
  }
});

test.each([
  ['the first publication', 0],
  ['a later one', 1],
])('of 20 concurrent writers of %s exactly one wins, and its manifest is the one stored', async (_what, published) => {
  const { read, replace } = await startRow();
  for (let version = 1; version <= published; version++) await replace(await read(), manifestOf(version));
  const before = await read();
  const nexts = Array.from({ length: 20 }, (_, i) => manifestOf(100 + i));
  const wins = await Promise.all(nexts.map((next) => replace(before, next)));
  expect(wins.filter(Boolean)).toHaveLength(1);
  expect((await read()).manifest).toEqual(nexts[wins.indexOf(true)]);
});

test('a writer who had read an older manifest loses and changes nothing', async () => {
  const { read, replace } = await startRow();
  const empty = await read();
  await replace(empty, manifestOf(1));
  const first = await read();
  await replace(first, manifestOf(2));
  const second = await read();
  for (const stale of [empty, first]) expect(await replace(stale, manifestOf(3), NOW + 60_000)).toBe(false);
  expect(await read()).toEqual(second);
});

test('a writer whose clock is behind still writes the newest cell', async () => {
  const { read, replace } = await startRow();
  await replace(await read(), manifestOf(1), NOW);
  expect(await replace(await read(), manifestOf(2), NOW - 3_600_000)).toBe(true);
  const { manifest, cell } = await read();
  expect(manifest.version).toBe(2);
  expect(cell?.writtenAtMs).toBe(NOW + 1);
});

test('two manifests written in one millisecond do not overwrite each other', async () => {
  const { read, replace } = await startRow();
  for (const version of [1, 2, 3]) expect(await replace(await read(), manifestOf(version), NOW)).toBe(true);
  expect(await read()).toMatchObject({ manifest: { version: 3 }, cell: { writtenAtMs: NOW + 2 } });
});

test('a manifest larger than a filter may be is replaced like any other', async () => {
  const { read, replace } = await startRow();
  const erasures = Array.from({ length: 2000 }, (_, i) => ({ userHash: String(i).padStart(16, '0'), atMs: NOW }));
  await replace(await read(), { ...manifestOf(1), erasures });
  const before = await read();
  expect(before.cell?.json.length).toBeGreaterThan(20_480);
  expect(await replace(before, { ...manifestOf(2), erasures })).toBe(true);
  expect(await replace(before, { ...manifestOf(3), erasures })).toBe(false);
  expect((await read()).manifest).toEqual({ ...manifestOf(2), erasures });
});

test('fields that a newer writer has put in are kept', async () => {
  const { bigtable, read, replace } = await startRow();
  await writeManifestCell(bigtable, JSON.stringify({ ...manifestOf(1), later: { it: 'knows' } }), NOW);
  const before = await read();
  await replace(before, { ...before.manifest, version: 2 });
  expect((await read()).manifest).toEqual({ ...manifestOf(2), later: { it: 'knows' } });
});

test.each([
  ['not JSON', 'version 17', /expected the manifest to be JSON, got "version 17"/],
  ['not a manifest', '{"version":1}', /the manifest is not valid: [\s\S]*surfaces/],
  [
    'without a variant that anybody is on',
    JSON.stringify({
      ...manifestOf(1),
      surfaces: { home: { salt: 's', listTtlSeconds: 1, variants: [{ name: 'control', weight: 0, current: MONDAY }] } },
    }),
    /surfaces\.home\.variants: expected at least one variant with a weight above 0$/,
  ],
])('a stored manifest that is %s is a clear error', async (_what, json, message) => {
  const { bigtable, read } = await startRow();
  await writeManifestCell(bigtable, json, NOW);
  await expect(read()).rejects.toThrow(message);
});

test('a manifest that is not valid is never written', async () => {
  const { read, replace } = await startRow();
  await replace(await read(), manifestOf(1));
  const before = await read();
  const { home } = manifestOf(2).surfaces;
  const invalid: Manifest[] = [
    { ...manifestOf(2), version: -1 },
    { ...manifestOf(2), surfaces: home === undefined ? {} : { Home: home } },
    { ...manifestOf(2), surfaces: home === undefined ? {} : { home: { ...home, variants: [] } } },
  ];
  for (const next of invalid) await expect(replace(before, next)).rejects.toMatchObject({ name: 'ZodError' });
  expect(await read()).toEqual(before);
});

test('a profile without single-row transactions is a clear error, and nothing is written', async () => {
  const { read, replace } = await startRow();
  const before = await read();
  for (const appProfile of ['ingest', 'serve-any', 'serve-asia']) {
    await expect(replace(before, manifestOf(1), NOW, appProfile)).rejects.toMatchObject({
      code: 'internal',
      source: 'table',
      message: expect.stringContaining('Single-row transactions are not allowed by this app profile'),
    });
  }
  expect(await read()).toEqual(before);
});

test('a table that does not exist is an error and not an empty manifest', async () => {
  const { bigtable } = await startEmptyInstance();
  await expect(readManifest(bigtable, 'default', TIMEOUT_MS)).rejects.toMatchObject({
    code: 'internal',
    message: expect.stringContaining('Table not found'),
  });
});

describe('a compare-and-set without an answer', () => {
  /** Draws below 0.5 strike; the jitter of the back-off has its own number. */
  async function startFlaky(draws: number[], fault: Fault) {
    const row = await startRow({ random: () => draws.shift() ?? 1 });
    const clock = createManualClock();
    const retries = { clock, random: () => 0.5, totalMs: 20_000 };
    const control = controlOf(row.bigtable, 'control', retries);
    const replace = (read: StoredManifest, next: Manifest) =>
      settleWith(clock, replaceManifest(control, { read: read.cell, next, note: { what: 'test' }, nowMs: NOW }));
    const before = await row.read();
    row.server.setFault('asia', fault);
    row.server.resetCounters();
    const calls = () => row.server.counters('asia').calls;
    return { ...row, before, calls, clock, replace, heal: () => row.server.setFault('asia', {}) };
  }

  test('that has written is found by a read, and not sent again', async () => {
    const { before, calls, heal, read, replace } = await startFlaky([0.1], { lostAnswerShare: 0.5 });
    expect(await replace(before, manifestOf(1))).toBe(true);
    expect(calls()).toEqual({ CheckAndMutateRow: 1, ReadRows: 1 });
    heal();
    expect((await read()).manifest).toEqual(manifestOf(1));
  });

  test('that has not written is sent again after a read', async () => {
    const { before, calls, heal, read, replace } = await startFlaky([0.1], { errorShare: 0.5 });
    expect(await replace(before, manifestOf(1))).toBe(true);
    expect(calls()).toEqual({ CheckAndMutateRow: 2, ReadRows: 1 });
    heal();
    expect((await read()).manifest).toEqual(manifestOf(1));
  });

  test('that has lost against another writer is a conflict', async () => {
    const { before, bigtable, calls, heal, read, replace } = await startFlaky([0.9, 0.1], { errorShare: 0.5 });
    const other = { read: before.cell, next: manifestOf(7), note: { what: 'other' }, nowMs: NOW - 5 };
    expect(await replaceManifest(controlOf(bigtable), other)).toBe(true);
    expect(await replace(before, manifestOf(1))).toBe(false);
    expect(calls()).toEqual({ CheckAndMutateRow: 2, ReadRows: 1 });
    heal();
    expect((await read()).manifest).toEqual(manifestOf(7));
  });

  test('that has written and was overtaken since has won', async () => {
    const { before, bigtable, heal, read, replace, server } = await startFlaky([0.1], { lostAnswerShare: 0.5 });
    // 1. The write. 2. Its answer is lost. 3. Another writer goes on from it, before the read.
    const replaced = replace(before, manifestOf(1));
    await eventually(() => expect(server.counters('asia').failedCalls).toEqual({ CheckAndMutateRow: 1 }));
    const control = controlOf(bigtable, 'control');
    const [own] = await readManifestRow(control, 1);
    await replaceManifest(control, { read: own, next: manifestOf(2), note: { what: 'other' }, nowMs: NOW });
    expect(await replaced).toBe(true);
    heal();
    expect((await read()).manifest).toEqual(manifestOf(2));
  });

  test('is given up after the total bound, with an error that leaves the outcome open', async () => {
    const { before, clock, replace } = await startFlaky([], { down: true });
    const startedAtMs = clock.now();
    await expect(replace(before, manifestOf(1))).rejects.toMatchObject({
      code: 'unavailable',
      message: expect.stringMatching(/is down; the compare-and-set of the manifest may have been done all the same$/),
    });
    expect(clock.now() - startedAtMs).toBeLessThanOrEqual(21_000);
    expect(clock.now() - startedAtMs).toBeGreaterThan(10_000);
  });

  test('that is not allowed is not repeated', async () => {
    const { before, calls, replace } = await startFlaky([0.1], { errorCode: 'PERMISSION_DENIED' });
    await expect(replace(before, manifestOf(1))).rejects.toMatchObject({ code: 'internal' });
    expect(calls()).toEqual({ CheckAndMutateRow: 1 });
  });
});

test('a read of the row is repeated until it succeeds', async () => {
  const draws = [0.1, 0.1, 0.1, 0.9];
  const { bigtable, replace, read, server } = await startRow({ random: () => draws.shift() ?? 1 });
  await replace(await read(), manifestOf(1));
  const clock = createManualClock();
  server.setFault('asia', { errorShare: 0.5 });
  const control = controlOf(bigtable, 'control', { clock, random: () => 0.5, totalMs: 20_000 });
  expect((await settleWith(clock, readManifestRow(control)))[0]?.manifest).toEqual(manifestOf(1));
  expect(server.counters('asia').failedCalls).toEqual({ ReadRows: 3 });
});

test('every kept version comes with its note, newest write first, also a broken one', async () => {
  const { bigtable } = await startRow();
  const control = controlOf(bigtable);
  const note = { what: 'publish home/control', why: 'a test', by: 'ops@example' };
  await replaceManifest(control, { read: undefined, next: manifestOf(1), note, nowMs: NOW });
  await writeManifestCell(bigtable, 'not JSON', NOW + 1000);
  const kept = await readManifestRow(control);
  expect(kept).toMatchObject([
    { writtenAtMs: NOW + 1000, manifest: undefined, note: undefined, problem: expect.stringContaining('JSON') },
    { writtenAtMs: NOW, manifest: manifestOf(1), note },
  ]);
  expect(await replaceManifest(control, { read: kept[0], next: manifestOf(2), note, nowMs: NOW })).toBe(true);
  expect((await readManifestRow(control)).map(({ manifest }) => manifest?.version)).toEqual([2, undefined, 1]);
});

test('a manifest that is too large is neither written nor accepted', async () => {
  const { bigtable, read, replace } = await startRow();
  const erasures = Array.from({ length: 6000 }, (_, i) => ({ userHash: String(i).padStart(16, '0'), atMs: NOW }));
  const before = await read();
  const tooLarge = /expected the manifest to have at most 262144 bytes, got \d+/;
  await expect(replace(before, { ...manifestOf(1), erasures })).rejects.toThrow(tooLarge);
  await writeManifestCell(bigtable, JSON.stringify({ ...manifestOf(1), erasures }), NOW);
  await expect(read()).rejects.toThrow(tooLarge);
});
