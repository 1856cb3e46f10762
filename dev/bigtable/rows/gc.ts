// Garbage collection at read time: a read never returns a cell that its family's rule has collected, even if it is
// still stored. Cloud Bigtable may return such a cell until its next compaction, up to a week later; readers must not
// depend on that.
import type { Duration, GcRule } from '../wire/messages.ts';
import { invalidArgument } from '../wire/status.ts';
import type { Cell, ReadCell, Row } from './row.ts';

/** The rule of a family that decides which cells are collected. */
export interface CollectedFamily {
  readonly isCollected: IsCollected | undefined;
}

/** Whether the rule collects the cell at `index` of its column, newest first. */
export type IsCollected = (index: number, timestampMicros: number, nowMicros: number) => boolean;

export function compileGcRule(rule: GcRule | null): IsCollected | undefined {
  switch (rule?.rule) {
    case undefined:
      return undefined;
    case 'maxNumVersions': {
      const keep = rule.maxNumVersions ?? 0;
      if (keep < 1) throw invalidArgument(`expected max_num_versions to be positive, got ${keep}`);
      return (index) => index >= keep;
    }
    case 'maxAge': {
      const ageMicros = toMicros(rule.maxAge);
      if (ageMicros < 1000) throw invalidArgument(`expected max_age to be at least 1 ms, got ${ageMicros / 1000} ms`);
      return (_index, timestampMicros, nowMicros) => timestampMicros < nowMicros - ageMicros;
    }
    case 'union': {
      const parts = compileAll(rule.union?.rules);
      return (index, timestamp, now) => parts.some((isCollected) => isCollected(index, timestamp, now));
    }
    case 'intersection': {
      const parts = compileAll(rule.intersection?.rules);
      return (index, timestamp, now) => parts.every((isCollected) => isCollected(index, timestamp, now));
    }
  }
}

/** Number of a column's newest cells to store; no read can return older ones. Infinity if age decides. */
export function versionsKept(rule: GcRule | null): number {
  switch (rule?.rule) {
    case 'maxNumVersions':
      return rule.maxNumVersions ?? Number.POSITIVE_INFINITY;
    case 'union':
      return Math.min(...(rule.union?.rules ?? []).map(versionsKept));
    case 'intersection':
      return Math.max(...(rule.intersection?.rules ?? []).map(versionsKept));
    default:
      return Number.POSITIVE_INFINITY;
  }
}

/** The row's cells that a read may return, in order. */
export function readableCells(row: Row, families: ReadonlyMap<string, CollectedFamily>, nowMicros: number): ReadCell[] {
  const readable: ReadCell[] = [];
  for (const { family, qualifier, cells } of row) {
    const isCollected = families.get(family)?.isCollected;
    for (let index = 0; index < cells.length; index++) {
      const { timestampMicros, value } = cells[index] as Cell;
      if (isCollected?.(index, timestampMicros, nowMicros)) continue;
      readable.push({ family, qualifier, timestampMicros, value });
    }
  }
  return readable;
}

function compileAll(rules: readonly GcRule[] = []): IsCollected[] {
  if (rules.length === 0) throw invalidArgument('expected a union or intersection to have rules, got none');
  return rules.map((rule) => {
    const compiled = compileGcRule(rule);
    if (compiled === undefined) throw invalidArgument('expected each rule of a union or intersection to be set');
    return compiled;
  });
}

function toMicros(duration: Duration | undefined): number {
  return (duration?.seconds ?? 0) * 1e6 + (duration?.nanos ?? 0) / 1e3;
}
