// The built-in sample: 200 listeners, 1000 tracks, two surfaces, two variants. Derived from hashes on each start, so it
// is always the same.
import { join } from 'node:path';
import { makeDirectory, writePrivate } from '../../ops/cli/state-file.ts';
import { POPULAR_USER } from '../../shared/domain/ids.ts';
import { unitHash } from '../../shared/runtime/hash.ts';

const LISTENERS = 200;
const TRACKS = 1000;
const ITEMS_PER_LIST = 60;

const adjectives = [
  'Quiet',
  'Amber',
  'Northern',
  'Paper',
  'Hollow',
  'Golden',
  'Distant',
  'Electric',
  'Velvet',
  'Broken',
];
const nouns = ['Harbour', 'Signal', 'Orchard', 'Mirror', 'Engine', 'Lantern', 'River', 'Window', 'Garden', 'Static'];

/** Writes the sample to `directory` in the format of `--data`. */
export function writeSample(directory: string): void {
  makeDirectory(directory);
  const listeners = range(LISTENERS).map((i) => `listener:${i + 1}`);
  const files: Record<string, readonly object[]> = {
    'home.control': listeners.map((user) => makeList(user, 'home/control')),
    'home.knn': listeners.map((user) => makeList(user, 'home/knn')),
    'rediscover.control': listeners.map((user) => makeList(user, 'rediscover/control')),
    'popular.control': [makeList(POPULAR_USER, 'popular/control')],
    items: range(TRACKS).map(makeTrack),
  };
  for (const [name, lines] of Object.entries(files)) {
    writePrivate(join(directory, `${name}.ndjson`), lines.map((line) => `${JSON.stringify(line)}\n`).join(''));
  }
}

const range = (count: number): number[] => Array.from({ length: count }, (_, i) => i);

const makeTrack = (i: number) => ({
  id: `track:${i + 1}`,
  title: `${pick(adjectives, `a${i}`)} ${pick(nouns, `n${i}`)}`,
  listeners: Math.floor(unitHash(`l${i}`) * 100_000),
});

const pick = (words: readonly string[], seed: string): string => words[Math.floor(unitHash(seed) * words.length)] ?? '';

function makeList(user: string, seed: string) {
  const ranked = range(TRACKS)
    .map((i) => ({ id: `track:${i + 1}`, score: Number(unitHash(`${seed}/${user}/${i}`).toFixed(4)) }))
    .sort((a, b) => b.score - a.score);
  return { user, items: ranked.slice(0, ITEMS_PER_LIST) };
}
