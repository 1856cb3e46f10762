// Requests of listeners and services to the worker, and checks of its answers.
import { DEFAULT_LIFETIME_MS, mintToken } from '../../ops/token/mint-token.ts';
import { LISTENER_AUDIENCE, type Scope } from '../../shared/domain/identity.ts';
import { DEFAULT_LIMIT } from '../../shared/domain/list.ts';
import type { Answer, Ask } from '../load/http-load.ts';

export const TOKEN_SECRET = 'listener-secret-for-benches-only-0123456789';
export const READS_PER_BATCH = 100;

const mint = (user: string, scope: Scope[]): Promise<string> =>
  mintToken({ user, scope, audience: LISTENER_AUDIENCE, expires: DEFAULT_LIFETIME_MS }, TOKEN_SECRET);

export const makeUsers = (count: number, first = 0): string[] =>
  Array.from({ length: count }, (_, i) => `listener:${first + i}`);

/** Each user's own read, with the user's token. */
export const makeListAsks = (users: readonly string[]): Promise<Ask[]> =>
  Promise.all(
    users.map(async (user) => ({
      path: `/v1/users/${user}/recommendations/home`,
      headers: { authorization: `Bearer ${await mint(user, [])}` },
    })),
  );

/** Makes a batch of users' reads with one service's token. */
export async function createBatchAsks(): Promise<(users: readonly string[]) => Ask> {
  const token = await mint('bench-service', ['recs:read:any']);
  const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
  return (users) => ({
    path: '/v1/recommendations:batch',
    headers,
    body: JSON.stringify({ reads: users.map((user) => ({ user, surface: 'home' })) }),
  });
}

/** Throws an Error unless the status is 200. */
export function expectOk({ status, body }: Answer): void {
  if (status !== 200) throw new Error(`expected status 200, got ${status}: ${body.toString().slice(0, 200)}`);
}

/** Throws an Error unless the list is a hit in the isolate. */
export function expectHit({ headers }: Answer): void {
  const status = headers['cache-status'];
  if (!/^isolate; hit(; ttl=\d+)?$/.test(String(status)))
    throw new Error(`expected a hit in the isolate, got ${status}`);
}

/** Throws an Error unless the answer has the complete lists of `users`, in order. */
export function expectBatch({ body }: Answer, users: readonly string[]): void {
  const { results } = JSON.parse(body.toString()) as {
    results: { status: number; user?: string; source?: string; items?: unknown[] }[];
  };
  const isRight = users.every((user, i) => {
    const { status, source, items, user: got } = results[i] ?? { status: 0 };
    return status === 200 && got === user && source === 'personal' && items?.length === DEFAULT_LIMIT;
  });
  if (!isRight || results.length !== users.length)
    throw new Error(`expected ${users.length} lists, got ${body.toString().slice(0, 200)}`);
}
