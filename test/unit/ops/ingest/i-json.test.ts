// I-JSON (RFC 7493): a stored item is read alike by every client, or it is a reject with a reason.
import { expect, test } from 'vitest';
import { MAX_DEPTH, requireIJson } from '../../../../ops/ingest/line/i-json.ts';
import { parseItemLine } from '../../../../ops/ingest/line/item-line.ts';
import { parseListLine } from '../../../../ops/ingest/line/list-line.ts';

const nested = (depth: number): string => `{"id":"a","x":${'['.repeat(depth - 1)}${']'.repeat(depth - 1)}}`;

test.each([
  ['a depth of 4000', nested(4000), /expected at most 32 nested values, got more/],
  ['one level too many', nested(MAX_DEPTH + 1), /expected at most 32 nested values/],
  ['a lone high surrogate', '{"id":"a","name":"\\ud800"}', /a lone surrogate or a noncharacter in "\\ud800"/],
  ['a lone low surrogate in a name', '{"id":"a","\\uDEAD":1}', /a lone surrogate/],
  ['a swapped pair', '{"id":"a","name":"\\udc00\\ud800"}', /a lone surrogate/],
  ['a noncharacter', '{"id":"a","name":"\uffff"}', /noncharacter/],
  ['an escaped noncharacter', '{"id":"a","name":"\\ufdd0"}', /noncharacter/],
  ['one name twice', '{"id":"a","x":1,"y":{},"x":2}', /expected each name once in an object, got "x" twice/],
  ['one name in two spellings', '{"id":"a","x":1,"\\u0078":2}', /got "x" twice/],
  ['one name twice further down', '{"id":"a","y":[{"x":1,"x":1}]}', /got "x" twice/],
  ['the id twice', '{"id":"a","id":"b"}', /got "id" twice/],
  ['an infinite number', '{"id":"a","x":1e400}', /expected a number that a double holds, got 1e400/],
  ['a whole number that no double has', '{"id":"a","x":[9007199254740993]}', /or a string, got 9007199254740993/],
])('an item with %s is a reject', (_what, text, message) => {
  expect(() => parseItemLine(text)).toThrow(message);
});

test.each([
  ['the greatest depth', nested(MAX_DEPTH)],
  ['a surrogate pair, escaped', '{"id":"a","name":"\\ud83c\\udfb5"}'],
  ['a surrogate pair, as it is', '{"id":"a","name":"\u{1f3b5}"}'],
  ['one name in two objects', '{"id":"a","x":{"y":1},"z":[{"y":1},{"y":2}]}'],
  ['a name that is also a value', '{"id":"a","x":"x","y":["x","x"]}'],
  ['brackets and quotes in texts', '{"id":"a","x":"]}[{\\"\\\\","y":"{"}'],
  ['numbers of a double', '{"id":"a","x":[0.1,-0,1e300,9007199254740991,123456789012345670000,1e-400]}'],
  ['literals', '{"id":"a","x":[true,false,null]}'],
])('an item with %s is stored as it stands', (_what, text) => {
  expect(parseItemLine(text)).toEqual({ id: 'a', value: text });
  expect(() => requireIJson(text)).not.toThrow();
});

test.each([
  ['two users', '{"user":"a","user":"b","items":[{"id":"x","score":1}]}', /got "user" twice/],
  ['two scores', '{"user":"a","items":[{"id":"x","score":1,"score":2}]}', /got "score" twice/],
  ['two lists', '{"user":"a","items":[{"id":"x","score":1}],"items":[{"id":"y","score":1}]}', /got "items" twice/],
])('a list with %s is a reject: the last one would win unseen', (_what, text, message) => {
  expect(() => parseListLine(text)).toThrow(message);
});
