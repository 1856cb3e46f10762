// The row store against a model: after any mutations in any clusters, all clusters have the rows of a map of cells.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createManualClock } from '../../../../bench/support/manual-clock.ts';
import { Instance } from '../../../../dev/bigtable/admin/instance.ts';
import type { RowMutation } from '../../../../dev/bigtable/mutations/mutations.ts';
import { readableCells } from '../../../../dev/bigtable/rows/gc.ts';
import { createFamily, createTable, type Family, rowsOf } from '../../../../dev/bigtable/rows/table.ts';
import { CLUSTERS } from '../../../contracts/bigtable/embedded.ts';

const FAMILIES = ['f', 'g'];
const familyName = fc.constantFrom(...FAMILIES);
const qualifier = fc.constantFrom('a', 'b', 'c');
const micros = fc.integer({ min: 0, max: 6 }).map((ms) => ms * 1000);

const step = fc.oneof(
  { weight: 6, arbitrary: fc.record({ kind: fc.constant('set' as const), familyName, qualifier, micros }) },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('delete-column' as const),
      familyName,
      qualifier,
      from: micros,
      to: micros,
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('delete-family' as const), familyName }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('delete-row' as const) }) },
);
const commits = fc.array(
  fc.record({
    key: fc.constantFrom('k1', 'k2'),
    steps: fc.array(step, { minLength: 1, maxLength: 6 }),
    waitMs: fc.constantFrom(0, 3, 20),
  }),
  { maxLength: 30 },
);
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

/** `key/family/qualifier/time` to value: the simplest form of Bigtable's data model. */
function applyToModel(model: Map<string, string>, key: string, value: string, one: Step): void {
  if (one.kind === 'set') {
    model.set(`${key}/${one.familyName}/${one.qualifier}/${one.micros}`, value);
    return;
  }
  for (const path of model.keys()) {
    const [cellKey, family, column, at] = path.split('/');
    const isMeant =
      cellKey === key &&
      (one.kind === 'delete-row' || family === one.familyName) &&
      (one.kind !== 'delete-column' || (column === one.qualifier && Number(at) >= one.from && Number(at) < one.to));
    if (isMeant) model.delete(path);
  }
}

function toMutation(families: ReadonlyMap<string, Family>, value: string, one: Step): RowMutation {
  if (one.kind === 'delete-row') return { kind: one.kind };
  const family = families.get(one.familyName) as Family;
  if (one.kind === 'delete-family') return { kind: one.kind, family };
  if (one.kind === 'delete-column')
    return { kind: one.kind, family, qualifier: one.qualifier, startMicros: one.from, endMicros: one.to };
  return {
    kind: one.kind,
    family,
    qualifier: one.qualifier,
    cell: { timestampMicros: one.micros, value: Buffer.from(value) },
  };
}

test('every cluster ends with the cells that a plain map of cells has, in order', () => {
  fc.assert(
    fc.property(commits, fc.constantFrom(0, 10), (all, lagMs) => {
      const clock = createManualClock();
      const instance = new Instance('projects/p/instances/i', CLUSTERS, { lagMs, stopped: new Set() }, clock);
      const table = createTable('t', [], CLUSTERS);
      for (const name of FAMILIES) table.families.set(name, createFamily(name, { gcRule: null }));
      const model = new Map<string, string>();
      all.forEach(({ key, steps, waitMs }, index) => {
        const value = String(index);
        for (const one of steps) applyToModel(model, key, value, one);
        instance.commit(
          'europe',
          table,
          key,
          steps.map((one) => toMutation(table.families, value, one)),
        );
        clock.advance(waitMs);
      });
      clock.advance(lagMs);

      const wanted = [...model].sort(([a], [b]) => (a < b ? -1 : 1));
      for (const cluster of CLUSTERS) {
        const stored: [string, string][] = [];
        rowsOf(table, cluster).forRange('', undefined, (key, row) => {
          const cells = readableCells(row, table.families, clock.now() * 1000);
          expect(cells.length).toBeGreaterThan(0);
          const columns = cells.map((cell) => `${cell.family}/${cell.qualifier}`);
          expect(columns).toEqual([...columns].sort());
          for (const cell of cells)
            stored.push([`${key}/${cell.family}/${cell.qualifier}/${cell.timestampMicros}`, String(cell.value)]);
          return true;
        });
        expect(stored.sort(([a], [b]) => (a < b ? -1 : 1))).toEqual(wanted);
      }
      expect(clock.pending()).toBe(0);
      instance.replicator.close();
    }),
    { numRuns: 200 },
  );
});
