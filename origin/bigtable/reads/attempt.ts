// One ReadRows call for the missing keys of a query.
import { EarshotError } from '../../../shared/wire/errors.ts';
import type { RequestTrace } from '../../tracing/request-trace.ts';
import type { RowFilter } from '../read-rows.ts';
import type { CallEnd } from './call-observer.ts';
import type { ReadRowsRequest } from './channel.ts';
import type { Route } from './route.ts';
import type { RowStream } from './row-stream.ts';

export interface KeyQuery {
  /** `projects/P/instances/I/tables/T`. */
  readonly tableName: string;
  readonly filter: RowFilter;
  /** ASCII, sorted by bytes, without duplicates. */
  readonly keys: readonly string[];
  /** On the monotonic clock. */
  readonly deadlineAtMs: number;
  /** Traces of the requests that wait. Default: none is recorded. */
  readonly traces?: readonly RequestTrace[];
}

export interface Attempt {
  readonly route: Route;
  readonly keys: readonly string[];
  readonly startedAtMs: number;
  /** Tells the observer of its end. */
  readonly end: (end: CallEnd) => void;
  /** Keys before this index are known. */
  cursor: number;
  hasProgressed: boolean;
  stream: RowStream | undefined;
}

export const createAttempt = (
  route: Route,
  keys: readonly string[],
  startedAtMs: number,
  end: Attempt['end'],
): Attempt => ({
  route,
  keys,
  startedAtMs,
  end,
  cursor: 0,
  hasProgressed: false,
  stream: undefined,
});

export const makeRequest = (
  { tableName, filter }: KeyQuery,
  appProfileId: string | undefined,
  keys: readonly string[],
): ReadRowsRequest => ({
  tableName,
  appProfileId: appProfileId ?? null,
  rows: { rowKeys: keys.map((key) => Buffer.from(key, 'latin1')) },
  filter,
});

export const makeCancelledError = (): EarshotError =>
  new EarshotError('deadline_exceeded', 'table', 'ReadRows was cancelled: no caller waits for it');
