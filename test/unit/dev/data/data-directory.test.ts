import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { readDataDirectory } from '../../../../dev/data/data-directory.ts';

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'earshot-data-'));
});
afterEach(() => rmSync(directory, { recursive: true }));

const touch = (...names: string[]) => names.forEach((name) => void writeFileSync(join(directory, name), ''));
const weights = async () =>
  Object.fromEntries((await readDataDirectory(directory)).lists.map((l) => [`${l.surface}/${l.variant}`, l.weight]));

test('control gets 90 % and the other variants share 10 %; a lone variant gets all', async () => {
  touch(
    'home.control.ndjson.gz',
    'home.knn.ndjson',
    'home.als.ndjson',
    'popular.control.ndjson',
    'items.ndjson.gz',
    'README.md',
  );
  expect(await weights()).toEqual({
    'home/control': 9000,
    'home/knn': 500,
    'home/als': 500,
    'popular/control': 10_000,
  });
  expect((await readDataDirectory(directory)).items).toEqual([join(directory, 'items.ndjson.gz')]);
});

test('an ending in capitals is no reason to leave a file out', async () => {
  touch('home.control.NDJSON.GZ', 'items.ndjson.GZ');
  expect(await weights()).toEqual({ 'home/control': 10_000 });
  expect((await readDataDirectory(directory)).items).toEqual([join(directory, 'items.ndjson.GZ')]);
});

test('variants without a control share evenly', async () => {
  touch('home.a.ndjson', 'home.b.ndjson');
  expect(await weights()).toEqual({ 'home/a': 5000, 'home/b': 5000 });
});

test.each(['home.ndjson', 'Home.control.ndjson', 'home.control.part1.ndjson'])(
  '%s is refused by name',
  async (name) => {
    touch('home.control.ndjson', name);
    await expect(readDataDirectory(directory)).rejects.toThrow(
      `expected ${join(directory, name)} to be named surface.variant.ndjson`,
    );
  },
);
