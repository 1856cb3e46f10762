// The manifest in Bigtable: compare-and-set lets one writer win, and an invalid manifest is neither written nor
// accepted.
import { expect, test } from 'vitest';
import { readManifest, replaceManifest, type StoredManifest } from '../../../../origin/bigtable/manifest-row.ts';
import { EMPTY_MANIFEST, type Manifest } from '../../../../shared/domain/manifest.ts';
import {
  MONDAY,
  manifestOf,
  REGIONS,
  startEmptyInstance,
  startInstance,
  TIMEOUT_MS,
  writeManifestCell,
} from '../instance.ts';

const NOW = 1_795_500_000_000;

async function startRow() {
  const instance = await startInstance();
  const { bigtable } = instance;
  return {
    ...instance,
    read: (appProfile = 'control') => readManifest(bigtable, appProfile, TIMEOUT_MS),
    replace: (read: StoredManifest, next: Manifest, nowMs = NOW, appProfile = 'control') =>
      replaceManifest(bigtable, appProfile, { read, next, nowMs, timeoutMs: TIMEOUT_MS }),
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

test('a compare-and-set that fails is sent once: a second one could not tell its own success from another\u2019s', async () => {
  const { read, replace, server } = await startRow();
  const before = await read();
  server.setFault('asia', { errorCode: 'UNAVAILABLE' });
  await expect(replace(before, manifestOf(1))).rejects.toMatchObject({ code: 'unavailable', source: 'table' });
  expect(server.counters('asia').calls.CheckAndMutateRow).toBe(1);
});
