// The tree is the architecture: who may import whom, held against the imports that are really there.
import { globSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { describe, expect, test } from 'vitest';

const root = join(import.meta.dirname, '../..');
const layers = ['edge', 'origin', 'ops', 'shared', 'dev', 'bench', 'test'] as const;
type Layer = (typeof layers)[number];

/** What each layer may import besides itself. */
const allowed: Record<Layer, readonly Layer[]> = {
  shared: [],
  edge: ['shared'],
  origin: ['shared'],
  ops: ['shared', 'origin'],
  dev: ['shared', 'origin', 'ops'],
  bench: ['shared', 'origin', 'ops', 'dev', 'edge'],
  test: ['shared', 'origin', 'ops', 'dev', 'edge', 'bench'],
};

interface Import {
  readonly file: string;
  readonly layer: Layer;
  readonly specifier: string;
}

const imports: readonly Import[] = globSync(`{${layers.join(',')}}/**/*.ts`, { cwd: root }).flatMap((file) => {
  const source = readFileSync(join(root, file), 'utf8');
  const specifiers = [...source.matchAll(/(?:from|import)\s*\(?\s*'([^']+)'/g)].map(([, specifier]) => specifier ?? '');
  return specifiers.map((specifier) => ({ file, layer: file.split('/')[0] as Layer, specifier }));
});

const targetLayer = ({ file, specifier }: Import): string | undefined =>
  specifier.startsWith('.') ? relative(root, join(root, dirname(file), specifier)).split('/')[0] : undefined;

const offenders = (isOffence: (each: Import) => boolean): string[] =>
  imports.filter(isOffence).map(({ file, specifier }) => `${file} imports ${specifier}`);

describe('the tree', () => {
  test('has imports to judge in every layer but none that is empty', () => {
    expect(new Set(imports.map(({ layer }) => layer))).toEqual(new Set(layers));
  });

  test.each(layers)('%s imports only what it may', (layer) => {
    const may = new Set<string>([layer, ...allowed[layer], 'package.json']);
    expect(offenders((each) => each.layer === layer && !may.has(targetLayer(each) ?? layer))).toEqual([]);
  });

  test('the deployed layers import the Bigtable client only under a bigtable/ folder', () => {
    const isClient = (specifier: string): boolean => /^(@google-cloud\/bigtable|google-gax|@grpc\/)/.test(specifier);
    const isDeployed = (layer: Layer): boolean => ['edge', 'origin', 'ops', 'shared'].includes(layer);
    const isAtHome = (file: string): boolean => file.split('/').includes('bigtable');
    expect(
      offenders(({ file, layer, specifier }) => isDeployed(layer) && isClient(specifier) && !isAtHome(file)),
    ).toEqual([]);
  });

  test.each(['edge', 'shared'] as const)('%s imports nothing of Node', (layer) => {
    expect(offenders((each) => each.layer === layer && each.specifier.startsWith('node:'))).toEqual([]);
  });

  test('time and chance come from the clock and from who calls, in edge, origin and shared', () => {
    const direct = /\b(Date\.now|Math\.random|setTimeout|setInterval|performance\.now)\(/;
    const files = globSync('{edge,origin,shared}/**/*.ts', { cwd: root }).filter(
      (file) => file !== 'shared/runtime/clock.ts' && file !== 'shared/runtime/random.ts',
    );
    const uses = files.filter((file) =>
      readFileSync(join(root, file), 'utf8')
        .split('\n')
        .some((line) => direct.test(line.replaceAll(/\bclock\.setTimeout\(/g, ''))),
    );
    expect(uses).toEqual([]);
  });
});
