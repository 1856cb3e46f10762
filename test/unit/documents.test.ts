// What the documents name exists: counters, error codes, variables, files.
import { existsSync, globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { COUNTERS } from '../../shared/runtime/counters.ts';
import { type ErrorCode, problemOf } from '../../shared/wire/errors.ts';

const repository = join(import.meta.dirname, '../..');
const read = (path: string): string => readFileSync(join(repository, path), 'utf8');
const documents = [...globSync(['README.md', 'docs/**/*.md'], { cwd: repository })];

describe.each(documents)('%s', (path) => {
  const text = read(path);

  test('names only counters that there are', () => {
    const named = [...text.matchAll(/\b(?:edge|region|origin)_[a-z_]+_total\b/g)].map(([name]) => name);
    expect(named.filter((name) => !Object.hasOwn(COUNTERS, name))).toEqual([]);
  });

  test('names only files that there are', () => {
    const named = [...text.matchAll(/`((?:edge|shared|origin|ops|dev|test|bench)\/[\w./-]+\.\w+)`/g)].map(
      ([, name]) => name ?? '',
    );
    expect(named.filter((name) => !existsSync(join(repository, name)))).toEqual([]);
  });
});

test('the failure modes tell of every error code, with its status, and of no other', () => {
  const table = read('docs/failure-modes.md').split('## Errors by code')[1] ?? '';
  const rows = [...table.matchAll(/^\| `(\w+)` +\| (\d{3}) /gm)].map(([, code, status]) => [code, Number(status)]);
  const codes = [...read('shared/wire/errors.ts').matchAll(/^ {2}(\w+): \{/gm)].map(([, code]) => code as ErrorCode);
  expect(codes).toContain('unavailable');
  expect(Object.fromEntries(rows)).toEqual(Object.fromEntries(codes.map((code) => [code, problemOf(code).status])));
});

test('the configuration tells of every variable of the worker', () => {
  const variables = [...read('edge/config.ts').matchAll(/^ {4}([A-Z_]{3,}): /gm)].map(([, name]) => name ?? '');
  expect(variables.length).toBeGreaterThan(10);
  const table = read('docs/configuration.md');
  expect(variables.filter((name) => !table.includes(`\`${name}\``))).toEqual([]);
});
