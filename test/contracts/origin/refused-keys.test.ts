// An origin's answers to callers that send something wrong: one key, a conditional, an id, or the other secret.

import { once } from 'node:events';
import { type IncomingMessage, request } from 'node:http';
import { json } from 'node:stream/consumers';
import { expect, test } from 'vitest';
import { toName, toUserId } from '../../../shared/domain/ids.ts';
import { decodeListFrames } from '../../../shared/wire/read-response.ts';
import { MONDAY, startInstance, writeList } from './instance.ts';
import { mintOriginToken, runOrigin, SECRET } from './running-origin.ts';

const key = (user: unknown, own: object = {}) => ({
  ...{ surface: toName('home'), variant: toName('control'), generation: MONDAY, user },
  ...own,
});
const PREVIOUS = 'origin-secret-for-tests-only-before-the-change';

test.each<[string, object]>([
  ['a user that is a number', key(12_345)],
  ['a user in a list', key(['u:1'])],
  ['a user with /', key('a/b')],
  ['a surface that is no name', key('u:1', { surface: 'Home' })],
  ['a generation as text', key('u:1', { generation: '1' })],
])('a key with %s is refused in its place, and its neighbours are answered', async (_what, bad) => {
  const instance = await startInstance();
  for (const user of ['u:1', 'auth0|5f7c', 'ann+x@example.com'])
    await writeList(instance.bigtable, { ...key(user), user: toUserId(user) }, `of ${user}`);
  const { readLists } = await runOrigin(instance);
  for (let round = 0; round < 2; round++) {
    const keys = [bad, key('u:1'), key('auth0|5f7c'), bad, key('ann+x@example.com'), bad];
    const response = await readLists(keys);
    expect(response.status).toBe(200);
    const results = decodeListFrames(new Uint8Array(await response.arrayBuffer()), keys.length);
    const shown = results.map((result) =>
      result.kind === 'list'
        ? Buffer.from(result.bytes).toString()
        : result.kind === 'error'
          ? result.code
          : result.kind,
    );
    const refused = 'invalid_request';
    expect(shown).toEqual([refused, 'of u:1', 'of auth0|5f7c', refused, 'of ann+x@example.com', refused]);
  }
});

test('a call without a valid key is 400 with the reason', async () => {
  const { readLists } = await runOrigin(await startInstance());
  const response = await readLists([key(12_345), key('a/b')]);
  expect([response.status, await response.json()]).toMatchObject([
    400,
    { code: 'invalid_request', detail: expect.stringContaining('keys.0.user') },
  ]);
});

test.each(['GET', 'HEAD'])('%s of the manifest compares tags as RFC 9110 says', async (method) => {
  const { origin, clock } = await runOrigin(await startInstance());
  const authorization = `Bearer ${await mintOriginToken(clock)}`;
  const ask = (own: Record<string, string>) =>
    fetch(`${origin.url}/internal/v1/manifest`, { method, headers: { authorization, ...own } });
  const etag = (await ask({})).headers.get('etag') ?? '';
  for (const has of [etag, `W/${etag}`, `"x", ${etag}`, `"x",W/${etag}`, '*']) {
    const response = await ask({ 'if-none-match': has });
    expect([has, response.status, response.headers.get('etag'), await response.text()]).toEqual([has, 304, etag, '']);
  }
  for (const lacks of ['"x"', etag.slice(1, -1), '']) expect((await ask({ 'if-none-match': lacks })).status).toBe(200);
});

test.each([
  ['/internal/v1/manifest', 200],
  ['/internal/v1/nowhere', 404],
  ['/livez', 200],
])('%s has the id of the request, and none that is not well formed', async (path, status) => {
  const { origin, clock } = await runOrigin(await startInstance());
  const authorization = `Bearer ${await mintOriginToken(clock)}`;
  const idOf = async (id: string) => {
    const response = await fetch(`${origin.url}${path}`, { headers: { authorization, 'x-request-id': id } });
    expect(response.status).toBe(status);
    return response.headers.get('x-request-id');
  };
  expect([await idOf('req-7'), await idOf('a b'), await idOf('x'.repeat(65))]).toEqual(['req-7', null, null]);
});

test.each(['/\\x', '/livez\\', '*', 'http://', 'ftp://a/livez', 'http://a:99999/'])(
  'a target that is no path is refused with a problem that has it: %s',
  async (path) => {
    const { origin } = await runOrigin(await startInstance());
    const { port } = new URL(origin.url);
    const sent = request({ host: '127.0.0.1', port, path, method: 'OPTIONS', headers: { 'x-request-id': 'req-7' } });
    const [answer] = (await once(sent.end(), 'response')) as [IncomingMessage];
    expect([answer.statusCode, answer.headers['content-type'], answer.headers['x-request-id']]).toEqual([
      400,
      'application/problem+json',
      'req-7',
    ]);
    expect(await json(answer)).toMatchObject({
      code: 'invalid_request',
      detail: 'expected the target of the request to be a path',
    });
  },
);

test('lists and their problems have it, too', async () => {
  const { readLists } = await runOrigin(await startInstance());
  const headers = { 'x-request-id': 'req-7' };
  const answers = [await readLists([key('u:1')], headers), await readLists([key(1)], headers)];
  expect(answers.map((each) => [each.status, each.headers.get('x-request-id')])).toEqual([
    [200, 'req-7'],
    [400, 'req-7'],
  ]);
});

test('during a change both secrets are accepted, and no third one', async () => {
  const { origin, clock } = await runOrigin(await startInstance(), { originSecrets: [SECRET, PREVIOUS] });
  const statusOf = async (secret: string): Promise<number> => {
    const authorization = `Bearer ${await mintOriginToken(clock, { secret })}`;
    return (await fetch(`${origin.url}/internal/v1/manifest`, { headers: { authorization } })).status;
  };
  expect([await statusOf(SECRET), await statusOf(PREVIOUS), await statusOf(`${SECRET}x`)]).toEqual([200, 200, 401]);
});

test('a member that this build does not know is ignored: a caller of the next build may send it', async () => {
  const instance = await startInstance();
  await writeList(instance.bigtable, { ...key('u:1'), user: toUserId('u:1') }, 'of u:1');
  const { readLists } = await runOrigin(instance);
  const response = await readLists([key('u:1', { more: 1 })]);
  const [result] = decodeListFrames(new Uint8Array(await response.arrayBuffer()), 1);
  expect(result?.kind === 'list' && Buffer.from(result.bytes).toString()).toBe('of u:1');
});
