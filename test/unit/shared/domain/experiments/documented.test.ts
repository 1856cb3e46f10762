// A second implementation of the assignment, written from docs/experiments.md alone. It shares no code with the first.
import { expect, test } from 'vitest';
import vectors from './vectors.json' with { type: 'json' };

interface Experiment {
  readonly surface: string;
  readonly layer: string;
  readonly salt: string;
  readonly state: string;
  readonly slots: number[][];
  readonly arms: { readonly variant: string; readonly buckets: number[][] }[];
  readonly targeting?: { readonly countries?: string[]; readonly claims?: Record<string, string[]> };
  readonly allow?: Record<string, string[]>;
}

interface User {
  readonly user: string;
  readonly country: string | null;
  readonly claims: Record<string, string>;
}

const MASK = 0xffff_ffffn;
const multiply = (a: bigint, b: bigint): bigint => (a * b) & MASK;
const rotate = (x: bigint, by: bigint): bigint => ((x << by) | (x >> (32n - by))) & MASK;

/** MurmurHash3, x86, 32 bits. */
function murmur(text: string, seed: bigint): bigint {
  const bytes = new TextEncoder().encode(text);
  const scramble = (block: bigint): bigint => multiply(rotate(multiply(block, 0xcc9e2d51n), 15n), 0x1b873593n);
  const blockAt = (from: number, to: number): bigint =>
    bytes.subarray(from, to).reduceRight((block, byte) => (block << 8n) | BigInt(byte), 0n);
  let hash = seed;
  const whole = bytes.length - (bytes.length % 4);
  for (let at = 0; at < whole; at += 4)
    hash = (multiply(rotate(hash ^ scramble(blockAt(at, at + 4)), 13n), 5n) + 0xe6546b64n) & MASK;
  if (whole < bytes.length) hash ^= scramble(blockAt(whole, bytes.length));
  hash ^= BigInt(bytes.length);
  hash = multiply(hash ^ (hash >> 16n), 0x85ebca6bn);
  hash = multiply(hash ^ (hash >> 13n), 0xc2b2ae35n);
  return hash ^ (hash >> 16n);
}

function hash(text: string): number {
  const [high, low] = [murmur(text, 0x9747b28cn), murmur(text, 0x2f0b4c47n) >> 11n];
  return (Number(high) * 2 ** 21 + Number(low) + 0.5) / (2 ** 53 + 1);
}

const bucket = (salt: string, user: string): number => Math.floor(hash(`${salt}/${user}`) * 10_000);
const owns = (ranges: number[][], at: number): boolean => ranges.some(([from = 0, to = 0]) => at >= from && at < to);
const hashOfUser = (user: string): string =>
  Math.floor(hash(user) * 2 ** 53)
    .toString(16)
    .padStart(16, '0');

function decide(surfaceName: 'home' | 'radio', { user, country, claims }: User): string[] {
  const { surfaces, holdouts } = vectors.manifest;
  const experiments = vectors.manifest.experiments as unknown as Record<string, Experiment>;
  const surface = surfaces[surfaceName];
  const { global, surfaces: own } = holdouts as {
    global?: { salt: string; share: number };
    surfaces?: Record<string, { salt: string; share: number }>;
  };
  for (const holdout of [global, own?.[surfaceName]]) {
    if (holdout === undefined || bucket(holdout.salt, user) >= holdout.share) continue;
    const heaviest = [...surface.variants].sort((a, b) => b.weight - a.weight)[0];
    return [(surface.variants.find(({ name }) => name === 'control') ?? heaviest)?.name ?? '', 'holdout', 'holdout'];
  }
  const live = Object.entries(experiments).filter(
    ([, each]) => each.surface === surfaceName && ['running', 'closed'].includes(each.state),
  );
  for (const [name, { allow = {} }] of live)
    for (const [arm, hashes] of Object.entries(allow))
      if (hashes.includes(hashOfUser(user))) return [arm, name, 'allowed'];
  const found = live.find(([, { layer, slots }]) => owns(slots, bucket(layer, user)));
  if (found !== undefined) {
    const [name, { salt, arms, targeting: { countries, claims: wanted = {} } = {} }] = found;
    const isIn =
      (countries === undefined || countries.includes(country ?? '')) &&
      Object.entries(wanted).every(([claim, values]) => values.includes(claims[claim] ?? ''));
    const arm = arms.find(({ buckets }) => owns(buckets, bucket(salt, user)));
    if (isIn && arm !== undefined) return [arm.variant, name, 'bucket'];
  }
  const scored = surface.variants
    .filter(({ weight }) => weight > 0)
    .map(({ name, weight }) => ({ name, score: -Math.log(hash(`${surface.salt}/${user}/${name}`)) / weight }));
  scored.sort((a, b) => a.score - b.score);
  return [scored[0]?.name ?? '', surfaceName, 'weight'];
}

test('the document alone is enough for the results of all vectors', () => {
  for (const { user, country, claims, home, radio } of vectors.users) {
    const known = { user, country, claims: claims as unknown as Record<string, string> };
    expect([user, decide('home', known), decide('radio', known)]).toEqual([user, home, radio]);
  }
});
