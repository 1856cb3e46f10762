// The types of keys: no text that was not checked becomes part of a key, and no list is cached without its user. The
// compiler is the test of the first part: each line with @ts-expect-error must not compile (`npm run types`).
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { createMemoryTier } from '../../../../edge/tiers/memory.ts';
import { createListMemory } from '../../../../origin/lists/list-memory.ts';
import { createSingleflight } from '../../../../shared/caching/singleflight.ts';
import { isName, isPublicId, toName, toUserId } from '../../../../shared/domain/ids.ts';
import {
  type CacheKey,
  isListKey,
  type ListKey,
  makeCacheKey,
  makeListQualifier,
  makeRowKey,
} from '../../../../shared/domain/keys.ts';
import { systemClock } from '../../../../shared/runtime/clock.ts';

const root = join(import.meta.dirname, '../../../..');
const GENERATION = 1_795_316_400_000;
const text: string = 'ann';
const key: ListKey = {
  surface: toName('home'),
  variant: toName('control'),
  generation: GENERATION,
  user: toUserId('ann'),
};
const entry = {
  value: { kind: 'absent' },
  storedAtMs: 0,
  loadMs: 0,
  freshUntilMs: 1,
  revalidateUntilMs: 1,
  staleUntilMs: 1,
} as const;

/** Never called. */
function doNotCompile(): void {
  // @ts-expect-error a user that was not checked
  makeCacheKey({ ...key, user: text });
  // @ts-expect-error a surface that was not checked
  makeCacheKey({ ...key, surface: text });
  // @ts-expect-error a variant that was not checked
  makeCacheKey({ ...key, variant: text });
  // @ts-expect-error the name of a surface as a user
  makeCacheKey({ ...key, user: key.surface });
  const { user: _, ...without } = key;
  // @ts-expect-error a key without its user
  makeCacheKey(without);
  // @ts-expect-error a row of a user that was not checked
  makeRowKey(text);
  // @ts-expect-error a qualifier of names that were not checked
  makeListQualifier(text, text);
  // @ts-expect-error a text that no function of keys.ts made
  const forged: CacheKey = `home/control/${GENERATION}`;
  const tier = createMemoryTier({ name: 'isolate', maxBytes: 1 });
  // @ts-expect-error an entry under another text
  void tier.set(text, entry);
  // @ts-expect-error an entry under the user alone
  tier.peek(key.user);
  // @ts-expect-error a list of an origin under another text
  createListMemory(1).get(text);
  // @ts-expect-error a load under another text
  createSingleflight<string, CacheKey>({ clock: systemClock, ageTimeoutMs: 1 }).has(text);
  // Checked texts are accepted.
  if (isPublicId(text) && isName('home')) makeRowKey(text);
  tier.peek(makeCacheKey(key));
  tier.peek(forged);
}

test('the lines that must not compile are part of the program', () => {
  expect(doNotCompile).toBeTypeOf('function');
});

describe('checks of parts', () => {
  test.each(['~other', 'a/b', 'a#b', '', 'x'.repeat(129)])('toUserId refuses %j', (user) => {
    expect(() => toUserId(user)).toThrow(/^expected an id to be 1 to 128 of .*, got "/);
  });

  test.each(['Home', 'home/x', ''])('toName refuses %j', (name) => {
    expect(() => toName(name)).toThrow(/^expected a name to be a lower-case letter, .*, got "/);
  });

  test.each<[string, object]>([
    ['a user with /', { user: 'a/b' }],
    ['no user', { user: undefined }],
    ['a user that is a number', { user: 1 }],
    ['a surface with /', { surface: 'home/x' }],
    ['a variant with /', { variant: 'a/b' }],
    ['a generation as text', { generation: '1795316400000' }],
    ['a generation in seconds', { generation: 1_795_316_400 }],
    ['an unknown expansion', { expand: 'all' }],
  ])('a key from another process with %s is refused', (_what, change) => {
    expect([isListKey(key), isListKey({ ...key, ...change })]).toEqual([true, false]);
  });
});

/** The schemas of zod know the pattern of a text and not its type. Each stands beside that pattern. */
const CASTS = [
  'edge/routes/schemas.ts',
  'ops/ingest/line/list-line.ts',
  'shared/domain/ids.ts',
  'shared/domain/keys.ts',
  'shared/domain/manifest.ts',
  'shared/wire/read-request.ts',
];

test('no other file makes a checked text or a key by a cast', () => {
  const files = globSync('{edge,origin,ops,shared}/**/*.ts', { cwd: root }).filter(
    (file) => !file.includes('node_modules'),
  );
  const casts = files.filter((file) =>
    /\bas (unknown as )?(UserId|Name|CacheKey|z\.ZodType<(UserId|Name)\b)/.test(readFileSync(join(root, file), 'utf8')),
  );
  expect(casts.sort()).toEqual(CASTS);
});
