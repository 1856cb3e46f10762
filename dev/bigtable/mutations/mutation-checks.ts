// Checks of mutations that do not depend on the table. A rejected request writes nothing.
import type { Mutation, TimestampRange } from '../wire/messages.ts';
import { invalidArgument } from '../wire/status.ts';
import { SERVER_TIME } from './mutations.ts';

export const MAX_MUTATIONS_PER_REQUEST = 100_000;
const MAX_KEY_BYTES = 4096;
const MAX_QUALIFIER_BYTES = 16 * 1024;
const MAX_VALUE_BYTES = 100 * 1024 * 1024;

/** Throws INVALID_ARGUMENT for mutations that Bigtable rejects for every table. */
export function checkMutations(rowKey: Buffer, mutations: readonly Mutation[]): void {
  checkRowKey(rowKey);
  if (mutations.length === 0) throw invalidArgument('No mutations provided');
  mutations.forEach((mutation, index) => {
    const problem = problemOf(mutation);
    if (problem !== undefined)
      throw invalidArgument(`Error in field 'Mutation list' : Error in element #${index} : ${problem}`);
  });
}

export function checkRowKey(rowKey: Buffer): void {
  if (rowKey.length === 0) throw invalidArgument('Row keys must be non-empty');
  if (rowKey.length > MAX_KEY_BYTES) {
    throw invalidArgument(`Row key is too long: ${rowKey.length} bytes, the limit is ${MAX_KEY_BYTES}`);
  }
}

function problemOf(mutation: Mutation): string | undefined {
  const { setCell: set, deleteFromColumn: del } = mutation;
  if (set !== undefined) {
    if (set.columnQualifier.length > MAX_QUALIFIER_BYTES)
      return `Column qualifier is too long: ${set.columnQualifier.length} bytes`;
    if (set.value.length > MAX_VALUE_BYTES)
      return `Cell value is too large: ${set.value.length} bytes, the limit is ${MAX_VALUE_BYTES}`;
    if (set.timestampMicros < SERVER_TIME) return `Timestamps must be >= -1, but got ${set.timestampMicros}`;
    return set.timestampMicros === SERVER_TIME ? undefined : granularityProblem(set.timestampMicros);
  }
  return del?.timeRange == null ? undefined : timeRangeProblem(del.timeRange);
}

export function timeRangeProblem({ startTimestampMicros, endTimestampMicros }: TimestampRange): string | undefined {
  const problem = granularityProblem(startTimestampMicros) ?? granularityProblem(endTimestampMicros);
  if (problem !== undefined) return problem;
  const isInverted = endTimestampMicros !== 0 && startTimestampMicros >= endTimestampMicros;
  return isInverted ? `Inverted timestamp range [${startTimestampMicros}, ${endTimestampMicros}]` : undefined;
}

function granularityProblem(micros: number): string | undefined {
  if (micros % 1000 === 0) return undefined;
  return `Timestamp granularity mismatch. Expected a multiple of 1000 (millisecond granularity), but got ${micros}.`;
}
