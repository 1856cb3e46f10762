import { randomBytes } from 'node:crypto';
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { findWeakness } from '../../../../shared/config/secret-strength.ts';

const repository = join(import.meta.dirname, '../../../..');

test.each([
  ['a'.repeat(64), 'one of 1 different characters, fewer than 8'],
  ['ab'.repeat(32), 'one of 2 different characters, fewer than 8'],
  ['01234567890123456789012345678901', 'one that repeats a part of itself'],
  ['correct-horse-battery-correct-horse-battery-', 'one that repeats a part of itself'],
  ['abcdefghijklmnopqrstuvwxyz012345', 'a sequence of characters'],
  ['zyxwvutsrqponmlkjihgfedcba987654', 'a sequence of characters'],
  ['Origin-Secret-For-Tests-Only-0123456789', 'a secret of the Earshot repository'],
  ['example-of-a-token-secret-for-examples-only', 'a secret of the Earshot repository'],
])('%s is weak', (secret, weakness) => {
  expect(findWeakness(secret)).toBe(weakness);
});

test('2 000 random secrets of each usual form are not weak', () => {
  for (const encoding of ['hex', 'base64', 'base64url'] as const) {
    for (let i = 0; i < 2_000; i++) expect(findWeakness(randomBytes(32).toString(encoding))).toBeUndefined();
    // The shortest ones: 32 characters.
    const bytes = encoding === 'hex' ? 16 : 24;
    for (let i = 0; i < 2_000; i++) expect(findWeakness(randomBytes(bytes).toString(encoding))).toBeUndefined();
  }
});

test('every secret in the code of this repository is one that a deployment refuses', () => {
  const files = globSync('{bench,dev,edge,examples,origin,ops,shared,test,docs}/**/*.{ts,json,md}', {
    cwd: repository,
  });
  const secrets = [...files, 'vitest.config.ts', 'wrangler.toml', 'README.md'].flatMap((file) => {
    const text = readFileSync(join(repository, file), 'utf8');
    return [...text.matchAll(/\b(?:\w*SECRET|OLD|NEW|PREVIOUS)\w*"?\s*[:=]\s*['"]([^'"]{32,})['"]/g)].map(
      ([, secret = '']) => ({ file, secret }),
    );
  });
  expect(secrets.length).toBeGreaterThan(10);
  expect(secrets.filter(({ secret }) => findWeakness(secret) === undefined)).toEqual([]);
});
