import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseListLine } from '../../../../ops/ingest/line/list-line.ts';

describe('parseListLine', () => {
  test('keeps ids, order and the text of the scores', () => {
    expect(
      parseListLine(
        '{"user":"lastfm:2","items":[{"id":"artist:1001","score":1.0},{"id":"artist:51","score":9.957e-1}]}',
      ),
    ).toEqual({
      user: 'lastfm:2',
      value: '{"id":"artist:1001","score":1.0},\n{"id":"artist:51","score":9.957e-1}',
    });
  });

  test('accepts the pseudo-user ~popular', () => {
    expect(parseListLine('{"user":"~popular","items":[{"id":"a","score":1}]}').user).toBe('~popular');
  });

  test.each([
    ['white space', '{ "user" : "u", "items" : [ { "id" : "a" , "score" : 1.50 } ] }'],
    ['another order', '{"items":[{"score":1.50,"id":"a"}],"user":"u"}'],
    ['escapes', '{"user":"\\u0075","items":[{"id":"\\u0061","score":1.50}]}'],
  ])('gives the same for the same list with %s', (_what, line) => {
    expect(parseListLine(line)).toEqual({ user: 'u', value: '{"id":"a","score":1.50}' });
  });

  test('gives the same for any list whether it is written canonically or not', () => {
    const id = fc.stringMatching(/^[A-Za-z0-9._:@-][A-Za-z0-9._~:@-]{0,20}$/);
    const score = fc.oneof(
      fc.double({ noNaN: true, noDefaultInfinity: true }).map(String),
      fc.constantFrom('1.0', '0.50', '1E2', '-0'),
    );
    const items = fc.array(fc.record({ id, score }), { minLength: 1, maxLength: 100 });
    fc.assert(
      fc.property(id, items, (user, all) => {
        const canonical = `{"user":"${user}","items":[${all.map((i) => `{"id":"${i.id}","score":${i.score}}`).join(',')}]}`;
        const loose = ` { "items" : [${all.map((i) => `{"score" : ${i.score}, "id":"${i.id}"}`).join(' , ')}], "user":"${user}"}`;
        expect(parseListLine(loose)).toEqual(parseListLine(canonical));
      }),
    );
  });

  test.each([
    ['', /expected one JSON object, got $/],
    ['not json', /expected one JSON object, got not json/],
    ['[]', /expected object, got \[\]/],
    ['{"items":[{"id":"a","score":1}]}', /user: expected string/],
    ['{"user":"a#b","items":[{"id":"a","score":1}]}', /user: expected a user id.*got "a#b"/],
    ['{"user":"~other","items":[{"id":"a","score":1}]}', /user: expected a user id.*got "~other"/],
    ['{"user":"u","items":[]}', /items: expected 1 to 100 items, got \[\]/],
    [`{"user":"u","items":[${Array(101).fill('{"id":"a","score":1}').join(',')}]}`, /items: expected 1 to 100 items/],
    ['{"user":"u","items":[{"id":"a/b","score":1}]}', /items\.0\.id: expected an item id.*got "a\/b"/],
    ['{"user":"u","items":[{"id":"a","score":"1"}]}', /items\.0\.score: expected number, got "1"/],
    ['{"user":"u","items":[{"id":"a","score":1e999}]}', /expected a number that a double holds, got 1e999/],
    ['{"user":"u","items":[{"id":"a","score":null}]}', /items\.0\.score: expected number, got null/],
    ['{"user":"u","items":[{"id":"a"}]}', /items\.0\.score: expected number, got nothing/],
    ['{"user":"u","items":[{"id":"a","score":1,"rank":1}]}', /items\.0: Unrecognized key: "rank"/],
    ['{"user":"u","items":[{"id":"a","score":01}]}', /expected one JSON object/],
    ['{"user":"u","items":[{"id":"a","score":1}]}{}', /expected one JSON object/],
  ])('refuses %j and says why', (line, reason) => {
    expect(() => parseListLine(line)).toThrow(reason);
  });
});
