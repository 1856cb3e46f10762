// One day of lists by every road into a table, and the cells that each leaves.
import { createReadStream, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { expect } from 'vitest';
import { spawnNode } from '../../../bench/rigs/local-cloud.ts';
import { applySchema } from '../../../ops/bigtable/schema/schema.ts';
import { type BigtableAddress, connectBigtable } from '../../../origin/bigtable/connection.ts';
import { CLUSTERS, TUESDAY } from '../../contracts/origin/instance.ts';
import { runInProcess } from '../../support/earshot/command-in-process.ts';
import { avroOf, jsonOf, makeLists, parquetOf, rowsOf } from '../../unit/ops/ingest/formats/support.ts';
import { COMMAND } from './command-instances.ts';
import { readStoredCells, type StoredCells } from './stored-cells.ts';

const LISTS = makeLists(3_000);
const half = LISTS.length / 2;

const inColumn = (variant: string) => (row: object) => {
  const { cells } = row as { cells: object[] };
  return {
    ...row,
    cells: cells.map((cell) => ({ ...cell, qualifier: Buffer.from(`home/${variant}`), timestamp: TUESDAY * 1_000 })),
  };
};

/** The files of each road, by a name that is a variant. */
const ROADS: Readonly<Record<string, (variant: string) => readonly Buffer[]>> = {
  ndjson: () => [jsonOf(LISTS)],
  gzip: () => [gzipSync(jsonOf(LISTS))],
  zstd: () => [zstdCompressSync(jsonOf(LISTS))],
  avro: () => [avroOf(LISTS, undefined, 'deflate')],
  parquet: () => [parquetOf(LISTS)],
  parts: () => [jsonOf(LISTS.slice(0, half)), parquetOf(LISTS.slice(half))],
  input: () => [jsonOf(LISTS)],
  dataflow: (variant) => [rowsOf(LISTS, inColumn(variant))],
};

/** The cells that each road leaves at `endpoint`. */
export async function loadByEveryRoad(endpoint: string): Promise<Record<string, StoredCells>> {
  const directory = mkdtempSync(join(tmpdir(), 'earshot-roads-'));
  const address: BigtableAddress = { project: 'roads', instance: 'recs', emulatorHost: endpoint };
  const bigtable = connectBigtable(address);
  const env = {
    ...{ BIGTABLE_EMULATOR_HOST: endpoint, EARSHOT_STATE_DIR: directory },
    ...{ EARSHOT_PROJECT: 'roads', EARSHOT_INSTANCE: 'recs' },
  };
  try {
    await applySchema(bigtable, { clusters: CLUSTERS, dryRun: false }, () => undefined);
    const left: Record<string, StoredCells> = {};
    for (const [variant, make] of Object.entries(ROADS)) {
      const paths = make(variant).map((content, i) => {
        const path = join(directory, `${variant}-${i}`);
        writeFileSync(path, content);
        return path;
      });
      const isInput = variant === 'input';
      const which = ['--surface', 'home', '--variant', variant, '--generation', String(TUESDAY)];
      const args = ['ingest', ...(isInput ? ['-'] : paths), ...which];
      await run(args, env, isInput ? paths[0] : undefined);
      left[variant] = await readStoredCells(bigtable, `home/${variant}`);
    }
    return left;
  } finally {
    await bigtable.close();
    rmSync(directory, { recursive: true });
  }
}

/** A load of standard input has a process of its own. */
async function run(args: readonly string[], env: Record<string, string>, input: string | undefined): Promise<void> {
  if (input === undefined) {
    const { code, stderr } = await runInProcess(args, env);
    expect(code, stderr).toBe(0);
    return;
  }
  const { child, exited, output } = spawnNode([COMMAND, ...args], env);
  createReadStream(input).pipe(child.stdin);
  expect(await exited, output.stderr).toBe(0);
}

export function expectSameCells(left: Readonly<Record<string, StoredCells>>): void {
  const { ndjson } = left;
  expect(ndjson).toMatchObject({ count: LISTS.length, timestamps: [TUESDAY] });
  for (const [road, cells] of Object.entries(left)) expect(cells, road).toEqual(ndjson);
}
