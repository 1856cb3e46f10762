// RE2 patterns over bytes in row filters.
import { expect, test } from 'vitest';
import { compileRegex } from '../../../../dev/bigtable/filters/regex.ts';

test.each([
  ['', '', true],
  ['home/control', 'home/control', true],
  ['home', 'home/control', false],
  ['home\\/control', 'home/control', true],
  ['a.c', 'abc', true],
  ['a\\.c', 'abc', false],
  ['a.c', 'a\nc', false],
  ['a.c', 'a\rc', true],
  ['(?s)a.c', 'a\nc', true],
  ['a\\Cc', 'a\nc', true],
  ['a|bc', 'bc', true],
  ['a|bc', 'abc', false],
  ['[a-c\\]]+', 'ab]c', true],
  ['[^a]', '\n', true],
  ['[.]', 'x', false],
  ['[[]', '[', true],
  ['(?i)Home', 'hOME', true],
  ['(?P<name>a)(?:b)', 'ab', true],
  ['\\Qa.c\\E+', 'a.cc', true],
  ['\\Qa.c', 'a.c', true],
  ['\\x41\\d{2}', 'A42', true],
  ['\\Aab\\z', 'ab', true],
  ['^ab$', 'ab', true],
  ['\u00e9+', '\u00e9\u00e9', true],
  ['a{2,3}', 'aaaa', false],
])('%j against %j is %s', (pattern, text, isMatch) => {
  expect(compileRegex(pattern, 'field')(text)).toBe(isMatch);
});

test.each(['(', '[a', 'a**', '(?=a)', '(?!a)', '(?<=a)b', '(a)\\1', '\\', '\\pL', '[[:digit:]]', '\\cA', '\\u0041'])(
  '%j is refused, as RE2 would or because it is not implemented, naming the field',
  (pattern) => {
    expect(() => compileRegex(pattern, 'value_regex_filter')).toThrow(/^Error in field 'value_regex_filter' : /);
  },
);
