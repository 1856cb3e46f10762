// `earshot size`: the formulae on numbers that a reader can check, what must grow with what, and the document.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, onTestFinished, test } from 'vitest';
import { CPU_US, LOADER, TRACE } from '../../../../ops/size/figures.ts';
import { computeCosts, pricesSchema } from '../../../../ops/size/prices.ts';
import { computeSize, type Workload } from '../../../../ops/size/sizing.ts';

const repository = join(import.meta.dirname, '../../../..');
const read = (path: string): string => readFileSync(join(repository, path), 'utf8');
const prices = pricesSchema.parse(JSON.parse(read('examples/sizing/prices.json')));

const workload: Workload = {
  users: 10_000_000,
  listsPerUser: 2,
  listBytes: 900,
  readsPerSecond: 100_000,
  meanShare: 0.5,
  edgeHits: 0.8,
  rowsPerRead: 0.1,
  loadHours: 1,
  regions: new Map([
    ['asia', 0.5],
    ['us', 0.5],
  ]),
};

test('a size by hand', () => {
  const size = computeSize(workload);
  expect(size.storedBytes).toBe(20_000_000 * 1_000 * 6);
  expect(size.loadRows).toBeCloseTo(5_555.6, 1);
  expect(size.workerCpus).toBeCloseTo((80_000 * CPU_US.workerHit + 20_000 * CPU_US.workerCold) / 1e6, 6);
  expect(size.isolates).toBe(Math.ceil(size.workerCpus * 2));
  const [asia] = size.regions;
  // 50 000 reads/s of its own: a fifth reaches its objects, a tenth Bigtable. A fifth of the others comes besides.
  expect(asia).toMatchObject({ name: 'asia', objects: 20 });
  expect(asia?.objectReads).toBeCloseTo(10_000, 6);
  expect(asia?.originReads).toBeCloseTo(15_000, 6);
  expect(asia).toMatchObject({ nodesFor: 'reads', nodes: 2 });
  expect(asia?.origins).toBe(Math.ceil((15_000 * CPU_US.originCold) / 1e6 / 0.5));
});

test('storage decides for many users who read little, and the load for a short night', () => {
  const quiet = { ...workload, readsPerSecond: 10 };
  expect(computeSize({ ...quiet, users: 1e9, loadHours: 24 }).regions[0]).toMatchObject({
    nodesFor: 'storage',
    nodes: 4,
  });
  expect(computeSize({ ...quiet, loadHours: 0.1 }).regions[0]).toMatchObject({ nodesFor: 'writes', nodes: 8 });
});

const workloads = fc.record({
  users: fc.integer({ min: 1, max: 1e9 }),
  listsPerUser: fc.integer({ min: 1, max: 20 }),
  listBytes: fc.integer({ min: 1, max: 20_000 }),
  readsPerSecond: fc.integer({ min: 1, max: 1e7 }),
  meanShare: fc.double({ min: 0.01, max: 1, noNaN: true }),
  edgeHits: fc.double({ min: 0, max: 0.9, noNaN: true }),
  rowsPerRead: fc.double({ min: 0, max: 0.1, noNaN: true }),
  loadHours: fc.integer({ min: 1, max: 24 }),
  regions: fc.constant(workload.regions),
});
const total = (of: Workload): number =>
  computeCosts(of, computeSize(of), prices).reduce((sum, { month }) => sum + month, 0);

describe('any workload', () => {
  test('more users, reads or bytes never need less, and never cost less', () => {
    fc.assert(
      fc.property(workloads, fc.constantFrom('users', 'readsPerSecond', 'listBytes'), (small, member) => {
        const large = { ...small, [member]: small[member] * 3 };
        const [less, more] = [computeSize(small), computeSize(large)];
        expect(more.objects).toBeGreaterThanOrEqual(less.objects);
        for (const [i, { nodes, origins }] of less.regions.entries()) {
          expect(more.regions[i]?.nodes).toBeGreaterThanOrEqual(nodes);
          expect(more.regions[i]?.origins).toBeGreaterThanOrEqual(origins);
        }
        expect(total(large)).toBeGreaterThanOrEqual(total(small));
      }),
    );
  });

  test('every other region can serve the reads of a region that goes', () => {
    fc.assert(
      fc.property(workloads, fc.integer({ min: 1, max: 99 }), (of, percent) => {
        const shares = new Map([
          ...[['asia', percent / 200] as const, ['us', percent / 200] as const],
          ['europe', 1 - percent / 100],
        ]);
        const { regions } = computeSize({ ...of, regions: shares });
        for (const gone of shares.keys())
          for (const { name, originReads, origins } of regions.filter((each) => each.name !== gone)) {
            const moved = of.readsPerSecond * (shares.get(gone) ?? 0) * (1 - of.edgeHits);
            const own = of.readsPerSecond * (shares.get(name) ?? 0) * of.rowsPerRead;
            expect(originReads).toBeGreaterThanOrEqual((own + moved) * (1 - 1e-9));
            expect(origins * 1e6).toBeGreaterThanOrEqual((own + moved) * CPU_US.originCold);
          }
      }),
    );
  });
});

describe('docs/sizing.md', () => {
  const document = read('docs/sizing.md');

  test('shows what the command prints', () => {
    const [, command = '', output = ''] = /```text\n\$ npx earshot (.*)\n([\s\S]*?)```/.exec(document) ?? [];
    const printed = execFileSync(process.execPath, ['ops/earshot.mjs', ...command.split(' ')], { cwd: repository });
    expect(output).toBe(printed.toString());
  });

  test('has the figures of docs/benchmarks.md', () => {
    const benchmarks = read('docs/benchmarks.md');
    const [, hit, cold] =
      /the worker: a hit in its isolate, a list from an origin *\| (\d+), (\d+) us/.exec(benchmarks) ?? [];
    const [, memory, row] =
      /an origin: a list in its memory, a list from Bigtable *\| (\d+), (\d+) us/.exec(benchmarks) ?? [];
    expect([hit, cold, memory, row].map(Number)).toEqual(Object.values(CPU_US));
    expect(document).toContain(`lists x (${LOADER.cpuUs} us + ${LOADER.cpuUsPerByte} us x list bytes)`);
    const [, short, long] =
      /CPU of a load for each list of 172 and of 1 410 bytes *\| (\d+), (\d+) us/.exec(benchmarks) ?? [];
    expect(LOADER.cpuUs + 172 * LOADER.cpuUsPerByte).toBeCloseTo(Number(short), 0);
    expect(LOADER.cpuUs + 1_410 * LOADER.cpuUsPerByte).toBeCloseTo(Number(long), 0);
    expect(TRACE.rowsPerRead).toBeCloseTo(1 / Number(/\| (21\.4) /.exec(benchmarks)?.[1]), 6);
  });
});

test.each([
  ['{', 'expected a file of prices as JSON'],
  ['{"date":"yesterday"}', 'date: '],
  [JSON.stringify({ ...prices, google: { ...prices.google, egressGb: -1 } }), 'google.egressGb: '],
  [JSON.stringify({ ...prices, more: 1 }), 'the file: '],
])('prices %.20s are refused', (text, message) => {
  const directory = mkdtempSync(join(tmpdir(), 'earshot-test-'));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  const path = join(directory, 'prices.json');
  writeFileSync(path, text);
  const args = ['ops/earshot.mjs', 'size', '--users', '1', '--reads-per-second', '1', '--prices', path];
  try {
    execFileSync(process.execPath, args, { cwd: repository, stdio: 'pipe' });
    expect.unreachable('the prices were taken');
  } catch (error) {
    const { status, stderr } = error as { status: number; stderr: Buffer };
    expect([status, stderr.toString()]).toEqual([2, expect.stringContaining(message)]);
  }
});
