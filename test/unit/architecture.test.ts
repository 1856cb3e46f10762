// Allowed imports between layers and folders, checked against the imports in the code.
import { globSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { describe, expect, test } from 'vitest';
import { findCircles, findMutualFolders, type Import } from './import-graph.ts';

const root = join(import.meta.dirname, '../..');
const layers = ['edge', 'origin', 'ops', 'shared', 'dev', 'bench', 'test'] as const;
type Layer = (typeof layers)[number];

/** The layers that each layer may import besides itself. */
const allowed: Record<Layer, readonly Layer[]> = {
  shared: [],
  edge: ['shared'],
  origin: ['shared'],
  ops: ['shared', 'origin'],
  dev: ['shared', 'origin', 'ops'],
  bench: ['shared', 'origin', 'ops', 'dev', 'edge'],
  test: ['shared', 'origin', 'ops', 'dev', 'edge', 'bench'],
};

const MAX_FILES = 15;

const layerOf = (file: string): Layer => file.split('/')[0] as Layer;
const files = globSync(`{${layers.join(',')}}/**/*.ts`, { cwd: root }).filter((file) => !file.includes('node_modules'));
const imports: readonly Import[] = files.flatMap((file) => {
  const source = readFileSync(join(root, file), 'utf8');
  return [...source.matchAll(/(?:from|import)\s*\(?\s*'([^']+)'/g)].map(([, specifier = '']) => ({
    file,
    target: specifier.startsWith('.') ? normalize(join(dirname(file), specifier)) : specifier,
    isRelative: specifier.startsWith('.'),
  }));
});

const offenders = (isOffence: (each: Import) => boolean): string[] =>
  imports.filter(isOffence).map(({ file, target }) => `${file} imports ${target}`);

describe('the tree', () => {
  test('has imports to check in every layer', () => {
    const withoutImports = layers.filter((layer) => !imports.some(({ file }) => layerOf(file) === layer));
    expect(withoutImports).toEqual([]);
  });

  test.each(layers)('%s imports only its allowed layers', (layer) => {
    const may = new Set<string>([layer, ...allowed[layer], 'package.json']);
    expect(
      offenders(({ file, target, isRelative }) => layerOf(file) === layer && isRelative && !may.has(layerOf(target))),
    ).toEqual([]);
  });

  test('no file imports itself through others', () => {
    // @hono/zod-openapi imports zod as a namespace, so zod.ts has to export itself as one.
    expect(findCircles(imports).filter((circle) => circle.join() !== 'edge/zod.ts')).toEqual([]);
  });

  test('no two folders import each other', () => {
    expect(findMutualFolders(imports)).toEqual([]);
  });

  test(`no folder has more than ${MAX_FILES} files`, () => {
    const larger = [...Map.groupBy(files, dirname)].filter(([, { length }]) => length > MAX_FILES);
    expect(larger.map(([folder, { length }]) => `${folder}: ${length}`)).toEqual([]);
  });

  test('the deployed layers import the Bigtable client only under a bigtable/ folder', () => {
    const isClient = (target: string): boolean => /^(@google-cloud\/bigtable|google-gax|@grpc\/)/.test(target);
    const isDeployed = (file: string): boolean => ['edge', 'origin', 'ops', 'shared'].includes(layerOf(file));
    expect(
      offenders(({ file, target }) => isDeployed(file) && isClient(target) && !file.split('/').includes('bigtable')),
    ).toEqual([]);
  });

  test.each(['edge', 'shared'] as const)('%s imports no module of Node', (layer) => {
    expect(offenders(({ file, target }) => layerOf(file) === layer && target.startsWith('node:'))).toEqual([]);
  });

  test('edge, origin and shared take time and randomness from the clock and from their callers', () => {
    const direct = /\b(Date\.now|Math\.random|setTimeout|setInterval|performance\.now)\(/;
    const exempt = ['shared/runtime/clock.ts', 'shared/runtime/random.ts'];
    const uses = files
      .filter((file) => ['edge', 'origin', 'shared'].includes(layerOf(file)) && !exempt.includes(file))
      .filter((file) => direct.test(readFileSync(join(root, file), 'utf8').replaceAll(/\bclock\.setTimeout\(/g, '')));
    expect(uses).toEqual([]);
  });
});

describe('a graph with a fault', () => {
  const make = (...pairs: [string, string][]): Import[] =>
    pairs.map(([file, target]) => ({ file, target, isRelative: true }));

  test('a circle is found, with all its files', () => {
    expect(findCircles(make(['a.ts', 'b.ts'], ['b.ts', 'c.ts'], ['c.ts', 'a.ts'], ['d.ts', 'a.ts']))).toEqual([
      ['a.ts', 'b.ts', 'c.ts'],
    ]);
  });

  test('two folders that import each other are found, a folder and its own subfolder are not', () => {
    expect(findMutualFolders(make(['x/a.ts', 'y/b.ts'], ['y/c.ts', 'x/d.ts'], ['z/a.ts', 'z/y/b.ts']))).toEqual([
      'x and y: x/a.ts imports y/b.ts, y/c.ts imports x/d.ts',
    ]);
  });
});
