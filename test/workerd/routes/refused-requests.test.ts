// A table of refused requests: status, stable code, and a detail that names the error.

import { expect, test } from 'vitest';
import { isErrorCode, problemOf } from '../../../shared/wire/errors.ts';
import { MESSAGE_VERSION } from '../../../shared/wire/message-version.ts';
import { createHarness } from '../support/harness.ts';
import { keyOf, makeList } from '../support/lists.ts';
import table from './refused-requests.json';

interface Refused {
  readonly name: string;
  readonly path: string;
  readonly method?: string;
  readonly headers?: Record<string, string>;
  readonly status: number;
  readonly code?: string;
  readonly detail: string;
}

test.each(table as Refused[])('$name is refused with $status', async (refused) => {
  const { path, method = 'GET', headers = {}, status, detail, code = 'invalid_request' } = refused;
  const edge = createHarness();
  const response = await edge.get(path, { method, headers, scope: 'recs:read:any recs:preview' });
  const title = isErrorCode(code) ? problemOf(code).title : undefined;
  expect(await response.json()).toEqual({ type: `urn:earshot:problem:${code}`, title, status, code, detail });
  expect(response.status).toBe(status);
  expect(response.headers.get('content-type')).toBe('application/problem+json');
  expect(response.headers.get('cache-control')).toBe('no-store');
  expect(response.headers.get('allow')).toBe(status === 405 ? 'GET, HEAD' : null);
  expect(edge.origins.listReads()).toEqual([]);
});

test.each(['A-Z.a_z~0:9@-', 'a'.repeat(128), '0', '@', 'lastfm%3A2'])('the user id %s is accepted', async (user) => {
  const edge = createHarness();
  edge.origins.put(keyOf(decodeURIComponent(user)), makeList('x'));
  const response = await edge.get(`/v1/users/${user}/recommendations/home`, { scope: 'recs:read:any' });
  expect(await response.json()).toMatchObject({ user: decodeURIComponent(user), source: 'personal' });
});

test('liveness needs no token and touches no origin', async () => {
  const edge = createHarness();
  const response = await edge.get('/healthz', { authorization: null });
  expect([response.status, await response.json()]).toEqual([
    200,
    {
      status: 'ok',
      manifest: 'unread',
      builds: [{ part: 'worker', build: 'unnamed', messages: MESSAGE_VERSION }],
    },
  ]);
  expect(response.headers.get('cache-control')).toBe('no-store');
  expect(edge.origins.calls).toEqual([]);
});
