// Batch requests for tests, and the parts of their answers.
import type { GetOptions, Harness } from './harness.ts';

export const POST_PATH = '/v1/recommendations:batch';
export const QUERY_PATH = '/v1/recommendations';

export interface Result {
  readonly status: number;
  readonly experiment?: string;
  readonly user?: string;
  readonly source?: string;
  readonly items?: { id: string }[];
  readonly problem?: { status: number; code: string; detail?: string };
  readonly [member: string]: unknown;
}

/** A service's request with any body. */
export const batchOptions = (body: BodyInit, options: GetOptions = {}): GetOptions => ({
  sub: 'service',
  scope: 'recs:read:any',
  method: 'POST',
  body,
  ...options,
  headers: { 'content-type': 'application/json', ...options.headers },
});

/** Sends `reads` with POST. */
export const sendBatch = (edge: Harness, reads: readonly unknown[], options?: GetOptions): Promise<Response> =>
  edge.get(POST_PATH, batchOptions(JSON.stringify({ reads }), options));

export const readBatch = async (
  edge: Harness,
  reads: readonly unknown[],
  options?: GetOptions,
): Promise<readonly Result[]> => resultsOf(await sendBatch(edge, reads, options));

export const resultsOf = async (response: Response): Promise<readonly Result[]> =>
  ((await response.json()) as { results: Result[] }).results;

export const readsOf = (users: readonly string[]) => users.map((user) => ({ user, surface: 'home' }));
