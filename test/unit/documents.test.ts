// The documents name only existing things: counters, error codes, variables, files, links, commands, constants.
import { existsSync, globSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { CHECKS } from '../../ops/release/checks/all.ts';
import { COUNTERS } from '../../shared/runtime/counters.ts';
import { type ErrorCode, problemOf } from '../../shared/wire/errors.ts';

const repository = join(import.meta.dirname, '../..');
const read = (path: string): string => readFileSync(join(repository, path), 'utf8');
const documents = [...globSync(['*.md', 'docs/**/*.md', 'deploy/**/*.md', '.github/**/*.md'], { cwd: repository })];
const { scripts } = JSON.parse(read('package.json')) as { scripts: Record<string, string> };
const benches = [...read('bench/main.ts').matchAll(/^ {2}'?([\w-]+)'?: bench\w+,$/gm)].map(([, name]) => name ?? '');
const commands = globSync('ops/*/command.ts', { cwd: repository }).map((file) => file.split('/')[1] ?? '');

/** The anchor that GitHub gives a heading. */
const anchorOf = (heading: string): string =>
  heading
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N} _-]/gu, '')
    .replaceAll(' ', '-');
const anchorsIn = (path: string): string[] =>
  [...read(path).matchAll(/^#+ (.*)$/gm)].map(([, heading = '']) => anchorOf(heading));

describe.each(documents)('%s', (path) => {
  const text = read(path);

  test('names only counters that there are', () => {
    const named = [...text.matchAll(/\b(?:edge|region|origin)_[a-z_]+_total\b/g)].map(([name]) => name);
    expect(named.filter((name) => !Object.hasOwn(COUNTERS, name))).toEqual([]);
  });

  test('names only files that there are', () => {
    const named = [...text.matchAll(/`((?:edge|shared|origin|ops|dev|test|bench|deploy)\/[\w./-]+\.\w+)`/g)].map(
      ([, name]) => name ?? '',
    );
    expect(named.filter((name) => !existsSync(join(repository, name)))).toEqual([]);
  });

  test('links only to files and headings that there are', () => {
    const links = [...text.matchAll(/\]\((?!https?:)([^)#\s]*)#?([^)\s]*)\)/g)];
    const broken = links.filter(([, file = '', anchor = '']) => {
      const target = file === '' ? path : join(dirname(path), file);
      if (!existsSync(join(repository, target))) return true;
      return anchor !== '' && !anchorsIn(target).includes(anchor);
    });
    expect(broken.map(([link]) => link)).toEqual([]);
  });

  test('shows only commands that there are', () => {
    const unknown = (pattern: RegExp, known: readonly string[]): string[] =>
      [...text.matchAll(pattern)].filter(([, name = '']) => !known.includes(name)).map(([command]) => command);
    expect([
      ...unknown(/\bnpm run ([a-z:]+)/g, Object.keys(scripts)),
      ...unknown(/\bnpm run bench -- ([a-z-]+)/g, benches),
      ...unknown(/`(?:npx )?earshot ([a-z][a-z-]*)/g, commands),
      ...unknown(/^npx earshot ([a-z][a-z-]*)/gm, commands),
    ]).toEqual([]);
  });
});

test('the benchmarks have a section for every measurement', () => {
  const named = [...read('docs/benchmarks.md').matchAll(/^## .*`npm run bench -- ([\w-]+)`/gm)].map(([, name]) => name);
  expect(benches.length).toBeGreaterThan(5);
  expect(named.sort()).toEqual(benches.sort());
});

test('the failure modes tell of every error code, with its status, and of no other', () => {
  const table = read('docs/failure-modes.md').split('## Errors by code')[1] ?? '';
  const rows = [...table.matchAll(/^\| `(\w+)` +\| (\d{3}) /gm)].map(([, code, status]) => [code, Number(status)]);
  const codes = [...read('shared/wire/errors.ts').matchAll(/^ {2}(\w+): \{/gm)].map(([, code]) => code as ErrorCode);
  expect(codes).toContain('unavailable');
  expect(Object.fromEntries(rows)).toEqual(Object.fromEntries(codes.map((code) => [code, problemOf(code).status])));
});

test('the configuration document has every variable of the worker', () => {
  const variables = [...read('edge/config.ts').matchAll(/^ {4}([A-Z_]{3,}): /gm)].map(([, name]) => name ?? '');
  expect(variables.length).toBeGreaterThan(10);
  const table = read('docs/configuration.md');
  expect(variables.filter((name) => !table.includes(`\`${name}\``))).toEqual([]);
});

test('the constants of the guard have the values of the code', () => {
  const rows = [...read('docs/overload.md').matchAll(/^\| `([\w.]+)` +\| ([\d./]+) +\| [^|]+\| `([\w-]+\.ts)`/gm)];
  expect(rows.length).toBeGreaterThan(30);
  const differing = rows.filter(([, name = '', value = '', file = '']) => {
    const source = read(`origin/guard/${file}`).replaceAll(/(?<=\d)_(?=\d)/g, '');
    const written = value.replace('/', ' / ').replace('.', '\\.');
    return !new RegExp(`\\b${name.split('.').at(-1)}(?: =|:) ${written}\\b`).test(source);
  });
  expect(differing.map(([row]) => row)).toEqual([]);
});

test('the table of the gate has every check with its default bound', () => {
  const rows = [...read('docs/releases.md').matchAll(/^\| `([\w-]+)` +\| at (?:least|most) ([\d.]+) /gm)];
  expect(rows.map(([, name, bound]) => [name, Number(bound)])).toEqual(
    CHECKS.map(({ name, defaultBound }) => [name, defaultBound]),
  );
});
