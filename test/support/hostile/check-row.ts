// The one runner of the tables of hostile requests: sends a row's request and compares status, code and counters.
import type { CounterName } from '../../../shared/runtime/counters.ts';
import { PROBLEM_TYPE } from '../../../shared/wire/problem.ts';
import { type BuiltRequest, buildRequest, type Expected, type HostileRow } from './row.ts';
import { makeToken, type TokenSetting, type TokenSpec } from './tokens.ts';

export interface HostileAnswer {
  readonly status: number | 'closed';
  readonly contentType: string;
  readonly cacheControl: string;
  readonly body: string;
}

/** The counters of refusals and of answered reads at the worker. */
export const EDGE_WATCHED = [
  'edge_reads_total',
  'edge_rejected_tokens_total',
  'edge_limited_addresses_total',
  'edge_limited_callers_total',
  'edge_limited_locations_total',
  'edge_large_answers_shed_total',
  'edge_token_key_failures_total',
  'edge_origin_failures_total',
  'edge_ejections_total',
] as const satisfies readonly CounterName[];

/** The same at an origin. */
export const ORIGIN_WATCHED = [
  'origin_reads_total',
  'origin_refused_callers_total',
  'origin_timed_out_requests_total',
  'origin_dropped_connections_total',
  'origin_bigtable_failures_total',
  'origin_late_total',
] as const satisfies readonly CounterName[];

/** Something that answers the rows. */
export interface HostileTarget {
  readonly setting: TokenSetting;
  readonly tokens: Readonly<Record<string, TokenSpec>>;
  /** The counters of which a row names one. Each of the others stays as it is. */
  readonly watched: readonly string[];
  /** Counts every request that a row has with a counter; undefined: requests are not counted. */
  readonly requests: string | undefined;
  send(request: BuiltRequest): Promise<HostileAnswer>;
  counters(): Promise<Readonly<Record<string, number>>>;
}

/** Sends the row's request. The faults of its answer, and of the counters after it, in words. */
export async function findRowFaults(row: HostileRow, target: HostileTarget): Promise<string[]> {
  const token = row.token === 'none' ? undefined : await tokenOf(row, target);
  const request = buildRequest(row, token);
  for (let i = 0; i < (row.after ?? 0); i++) await target.send(request);
  const before = await target.counters();
  const answer = await target.send(request);
  const grown = grownBetween(before, await target.counters(), target);
  const problem = answer.contentType === PROBLEM_TYPE ? parse(answer.body) : {};
  const reads = row.reads === undefined ? undefined : readsOf(answer.body);
  const got = JSON.stringify({ status: answer.status, code: problem.code ?? null, grown, reads });
  const { status, code } = row;
  const expected = JSON.stringify({ status, code, grown: expectedGrowth(row, target), reads: row.reads });
  return [...(got === expected ? [] : [`expected ${expected}, got ${got}`]), ...faultsOfProblem(answer, problem)];
}

type Counts = Readonly<Record<string, number>>;

const namesOf = ({ requests, watched }: HostileTarget): readonly string[] =>
  requests === undefined ? watched : [requests, ...watched];

const grownBetween = (before: Counts, after: Counts, target: HostileTarget): string[] =>
  namesOf(target).flatMap((name) => {
    const by = (after[name] ?? 0) - (before[name] ?? 0);
    return by === 0 ? [] : [`${name} +${by}`];
  });

/** A request with a counter is counted as a request, too. */
const expectedGrowth = ({ counter }: Expected, target: HostileTarget): string[] =>
  namesOf(target)
    .filter((name) => counter !== null && (name === counter || name === target.requests))
    .map((name) => `${name} +1`);

/** A problem is not stored on the way, and holds no list. */
function faultsOfProblem({ status, cacheControl, body }: HostileAnswer, problem: Problem): string[] {
  if (problem.code === undefined) return [];
  return [
    ...(problem.status === status ? [] : [`expected status ${status} in the problem, got ${problem.status}`]),
    ...(cacheControl === 'no-store' ? [] : [`expected a problem that is not stored, got ${cacheControl}`]),
    ...(body.includes('"items"') ? ['expected no list in a problem, got one'] : []),
  ];
}

function tokenOf({ token = 'valid' }: HostileRow, { tokens, setting }: HostileTarget): Promise<string> {
  const spec = tokens[token];
  if (spec === undefined) throw new Error(`expected a token of the table, got ${JSON.stringify(token)}`);
  return makeToken(spec, setting);
}

interface Problem {
  readonly code?: string;
  readonly status?: number;
}

/** HEAD has no body. */
const parse = (body: string): Problem => (body === '' ? {} : (JSON.parse(body) as Problem));

const readsOf = (body: string): number[] =>
  (JSON.parse(body) as { results: { status: number }[] }).results.map(({ status }) => status);
