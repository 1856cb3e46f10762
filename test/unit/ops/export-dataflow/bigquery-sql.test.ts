// The JavaScript in the printed SQL gives the cells of the loader. It runs here in a context of its own, without a
// global of Node, as in BigQuery.
import { runInNewContext } from 'node:vm';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { makeExportSql, parseTable } from '../../../../ops/export-dataflow/bigquery-sql.ts';
import { toJson } from '../../../../ops/ingest/formats/line.ts';
import { parseListLine } from '../../../../ops/ingest/line/list-line.ts';
import { toName } from '../../../../shared/domain/ids.ts';
import { makeRowKey } from '../../../../shared/domain/keys.ts';

const release = { surface: toName('home'), variant: toName('two-tower'), generation: Date.UTC(2026, 10, 29, 3) };
const destination = { project: 'recs-prod', instance: 'recs', region: 'europe-west1' };
const sql = makeExportSql('recs-prod.lists.home_day', destination, release, 0.001);

const functionOf = (name: string): ((argument: unknown) => unknown) => {
  const pattern = new RegExp(
    String.raw`CREATE TEMP FUNCTION ${name}\((\w+) [^)]*?>*\) RETURNS STRING DETERMINISTIC LANGUAGE js AS r"""([\s\S]*?)""";`,
  );
  const [, parameter = '', body = ''] = pattern.exec(sql) ?? [];
  expect(body, name).not.toBe('');
  return runInNewContext(`(function (${parameter}) {'use strict'; ${body}})`, {}) as (argument: unknown) => unknown;
};
const rowKey = functionOf('earshot_row_key');
const list = functionOf('earshot_list');

/** The cell of a load, or null where the loader rejects the line. */
function load(user: unknown, items: unknown): { rowKey: string; value: string } | null {
  try {
    const line = parseListLine(toJson({ user, items }));
    return { rowKey: makeRowKey(line.user), value: line.value };
  } catch {
    return null;
  }
}

const item = { id: 'artist:1', score: 0.5 };
const scores = [0, -0, 1, 0.1, 1e21, 1e-7, 5e-324, 1.7976931348623157e308, -123.456, 2 ** 53, 2 ** 60, 1 / 3];

describe('the row key in BigQuery', () => {
  test('is that of the loader for ids of every length', () => {
    const id = fc.stringMatching(/^[A-Za-z0-9._:@|+-][A-Za-z0-9._~:@|+-]{0,127}$/);
    fc.assert(
      fc.property(id, (user) => {
        expect(rowKey(user)).toBe(load(user, [item])?.rowKey);
      }),
      { numRuns: 2_000 },
    );
    for (let i = 0; i < 20_000; i++) expect(rowKey(`listener:${i}`)).toBe(load(`listener:${i}`, [item])?.rowKey);
  });

  test.each([
    ['the popular list', '~popular'],
    ['another pseudo-user', '~else'],
    ['no text', ''],
    ['too long an id', 'x'.repeat(129)],
    ['the longest id', 'x'.repeat(128)],
    ['a slash', 'a/b'],
    ['a separator', 'ab12#u:1'],
    ['a line end', 'u:1\n'],
    ['a quote', 'u"1'],
    ['a backslash', 'u\\1'],
    ['no ASCII', 'ü:1'],
    ['an emoji', '🎧'],
    ['a lone surrogate', '\ud83c'],
    ['a null byte', 'u\u0000'],
    ['null', null],
    ['a prototype', '__proto__'],
  ])('is that of the loader, or null where it rejects: %s', (_what, user) => {
    expect(rowKey(user)).toBe(load(user, [item])?.rowKey ?? null);
  });
});

describe('the list in BigQuery', () => {
  test('is the stored form of the loader for any ids and scores', () => {
    const id = fc.stringMatching(/^[A-Za-z0-9._:@|+-][A-Za-z0-9._~:@|+-]{0,20}$/);
    const score = fc.oneof(fc.double({ noNaN: true, noDefaultInfinity: true }), fc.constantFrom(...scores));
    fc.assert(
      fc.property(fc.array(fc.record({ id, score }), { minLength: 1, maxLength: 100 }), (items) => {
        expect(list(items)).toBe(load('u:1', items)?.value);
      }),
      { numRuns: 500 },
    );
  });

  test.each<[what: string, items: unknown]>([
    ['no items', []],
    ['null', null],
    ['100 items', Array.from({ length: 100 }, (_, i) => ({ id: `a:${i}`, score: i }))],
    ['101 items', Array.from({ length: 101 }, (_, i) => ({ id: `a:${i}`, score: i }))],
    ['an id that ends the object', [{ id: 'a","score":1},{"id":"b', score: 1 }]],
    ['an id with a line end', [{ id: 'a\n', score: 1 }]],
    ['a reserved id', [{ id: '~popular', score: 1 }]],
    ['no id', [{ id: null, score: 1 }]],
    ['no score', [{ id: 'a', score: null }]],
    ['NaN', [{ id: 'a', score: Number.NaN }]],
    ['infinity', [{ id: 'a', score: Number.POSITIVE_INFINITY }]],
    ['an item that is null', [null]],
  ])('is that of the loader, or null where it rejects: %s', (_what, items) => {
    expect(list(items)).toBe(load('u:1', items)?.value ?? null);
  });
});

describe('the SQL', () => {
  test('writes the release through the profile of loads, and leaves other cells', () => {
    expect(sql).toContain(
      "uri = 'https://bigtable.googleapis.com/projects/recs-prod/instances/recs/appProfiles/ingest/tables/recommendations'",
    );
    const [, options = ''] = /bigtable_options = '''(.*)'''/.exec(sql) ?? [];
    expect(JSON.parse(options)).toEqual({
      columnFamilies: [
        { familyId: 'l', encoding: 'TEXT', columns: [{ qualifierString: 'home/two-tower', fieldName: '' }] },
      ],
    });
    expect(sql).toContain(`SELECT rowkey, l, TIMESTAMP_MILLIS(${release.generation}) AS _CHANGE_TIMESTAMP`);
    expect(sql).toContain('overwrite = true');
    expect(sql).not.toMatch(/truncate *=/);
  });

  test('ends with the line that makes a release of it', () => {
    expect(sql).toContain(
      "FORMAT('npx earshot release adopt home/two-tower --generation 2026-11-29T03:00:00.000Z --expect-lists %d', lists)",
    );
  });

  test('has no word outside of a comment that is for a person', () => {
    const [before = ''] = sql.split('DECLARE');
    expect(before.trimEnd().split('\n')).toEqual(
      before
        .trimEnd()
        .split('\n')
        .map(() => expect.stringMatching(/^-- /)),
    );
  });
});

test.each(['a-project.data_set.table-1', 'example.com:a-project.d.t'])('%s is a table', (text) => {
  expect(parseTable(text)).toBe(text);
});

test.each(['d.t', 'p.d.t.u', 'a-project.d.t`', 'a-project.d-d.t', 'a project.d.t', "a-project.d.t'; DROP"])(
  '%s is no table',
  (text) => {
    expect(parseTable(text)).toBeUndefined();
  },
);
