// If-None-Match (RFC 9110, sections 8.8.3 and 13.1.2).
import { expect, test } from 'vitest';
import { isNotModified } from '../../../../shared/wire/if-none-match.ts';

test.each<[string | null | undefined, string, boolean]>([
  ['"a"', '"a"', true],
  ['W/"a"', '"a"', true],
  ['"a"', 'W/"a"', true],
  ['W/"a"', 'W/"a"', true],
  ['"x", W/"y,z" ,\t"a"', '"a"', true],
  [', ,"x",, W/"a",', '"a"', true],
  ['"a","b"', '"b"', true],
  ['*', '"a"', true],
  [' * ', 'W/"a"', true],
  ['""', '""', true],
  ['"x", "a,b"', '"a"', false],
  ['"ab"', '"a"', false],
  ['"A"', '"a"', false],
  ['a', '"a"', false],
  ['w/"a"', '"a"', false],
  ['"a" "b"', '"a"', false],
  ['"a', '"a"', false],
  ['"a", *', '"a"', false],
  ['**', '"a"', false],
  ['x"a"', '"a"', false],
  ['', '"a"', false],
  [',', '"a"', false],
  [undefined, '"a"', false],
  [null, '"a"', false],
])('%j of %s: %s', (header, etag, expected) => {
  expect(isNotModified(header, etag)).toBe(expected);
});

test('a hostile header takes no time', () => {
  const startedAtMs = performance.now();
  for (const header of [
    `${','.repeat(50_000)}x`,
    `${'"a",'.repeat(20_000)}x`,
    '"'.repeat(50_001),
    `W/${' '.repeat(50_000)}`,
  ])
    expect(isNotModified(header, '"b"')).toBe(false);
  expect(performance.now() - startedAtMs).toBeLessThan(500);
});
