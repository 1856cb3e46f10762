// The origin over HTTP, in front of a Bigtable that is slow, fails and recovers. The file is long, because it holds
// every guarantee of the interface, with one set of helpers.

import { once } from 'node:events';
import { connect } from 'node:net';
import { pino } from 'pino';
import { describe, expect, onTestFinished, test } from 'vitest';
import { createManualClock } from '../../../bench/support/manual-clock.ts';
import { startBigtable } from '../../../dev/bigtable/server.ts';
import { applySchema } from '../../../ops/bigtable/schema/schema.ts';
import { connectBigtable } from '../../../origin/bigtable/connection.ts';
import { MAX_PROBE_MS } from '../../../origin/bigtable/local-cluster.ts';
import { startOrigin } from '../../../origin/server.ts';
import { LISTENER_AUDIENCE } from '../../../shared/domain/identity.ts';
import { toName, toUserId } from '../../../shared/domain/ids.ts';
import type { ListKey } from '../../../shared/domain/keys.ts';
import { systemClock } from '../../../shared/runtime/clock.ts';
import { LISTS_READ_PATH, MANIFEST_PATH } from '../../../shared/wire/read-request.ts';
import { decodeListFrames } from '../../../shared/wire/read-response.ts';
import { eventually, settleWith } from '../../support/waiting.ts';
import {
  CLUSTERS,
  MONDAY,
  manifestOf,
  setFaultOfAll,
  startInstance,
  writeList,
  writeManifestCell,
} from './instance.ts';
import { IDLE_LOOP, mintOriginToken, originConfig, runOrigin, SECRET } from './running-origin.ts';

const NOW = 1_795_500_000_000;
const key = (user: string): ListKey => ({
  surface: toName('home'),
  variant: toName('control'),
  generation: MONDAY,
  user: toUserId(user),
});
const framesOf = async (response: Response, count: number) =>
  decodeListFrames(new Uint8Array(await response.arrayBuffer()), count);
const writeVersion = (bigtable: Parameters<typeof writeManifestCell>[0], version: number, appProfile = 'control') =>
  writeManifestCell(bigtable, JSON.stringify(manifestOf(version)), NOW + version, appProfile);

async function problemOf(response: Response) {
  expect(response.headers.get('content-type')).toBe('application/problem+json');
  return { ...((await response.json()) as object), httpStatus: response.status } as {
    httpStatus: number;
    status: number;
    code: string;
    detail?: string;
  };
}

describe('lists:read', () => {
  test('answers one frame per key, in order, with the list as it is stored', async () => {
    const instance = await startInstance();
    const { origin, readLists } = await runOrigin(instance);
    const value = '{"id":"a","score":1.0},\n{"id":"b","score":0.5}';
    await writeList(instance.bigtable, key('u:2'), value);
    const response = await readLists([key('u:1'), key('u:2'), key('~popular')]);
    expect(response.status).toBe(200);
    expect(response.headers.get('content-type')).toBe('application/vnd.earshot.list-frames');
    const frames = await framesOf(response, 3);
    expect(frames).toMatchObject([{ kind: 'absent' }, { kind: 'list', generation: MONDAY }, { kind: 'absent' }]);
    expect(frames[1]?.kind === 'list' && Buffer.from(frames[1].bytes).toString()).toBe(value);
    expect(origin.counters.snapshot()).toMatchObject({
      origin_reads_total: 3,
      origin_absent_total: 2,
      origin_bigtable_calls_total: 1,
      origin_bigtable_failures_total: 0,
    });
  });

  test('answers an error per key while Bigtable is down, and lists again once it is up', async () => {
    const instance = await startInstance();
    const { clock, origin, readLists } = await runOrigin(instance);
    setFaultOfAll(instance.server, { down: true });
    const response = await settleWith(clock, readLists([key('u:1'), key('u:2')]), 1);
    expect(response.status).toBe(200);
    const failed = { kind: 'error', code: 'unavailable' };
    expect(await framesOf(response, 2)).toEqual([failed, failed]);
    expect(origin.counters.snapshot()).toMatchObject({ origin_bigtable_failures_total: 4, origin_retries_total: 3 });
    setFaultOfAll(instance.server, {});
    expect(await framesOf(await readLists([key('u:1')]), 1)).toEqual([{ kind: 'absent' }]);
  });

  test('comes from another cluster while the local one is down, says so, and from the local one again when that is back', async () => {
    const instance = await startInstance();
    const { clock, scrape, origin, readLists } = await runOrigin(instance, { readTimeoutMs: 60_000 });
    await writeList(instance.bigtable, key('u:1'), '{"id":"a"}');
    const users = Array.from({ length: 10 }, (_, i) => `u:${i}`);
    const metric = async (name: string) =>
      new RegExp(`^earshot_${name}\\{.*\\} (\\d+)$`, 'm').exec(await (await scrape()).text())?.[1];
    const ask = async (user: string) => {
      const response = await settleWith(clock, readLists([{ ...key(user), maxAgeMs: 0 }]), 1);
      return [(await framesOf(response, 1))[0]?.kind, response.headers.get('earshot-served-by')];
    };
    expect([await ask('u:1'), await metric('origin_local_cluster_up')]).toEqual([['list', null], '1']);
    instance.server.setFault('asia', { down: true });
    const kinds = [];
    for (const user of users) kinds.push((await ask(user))[0]);
    expect(kinds).toEqual(users.map((user) => (user === 'u:1' ? 'list' : 'absent')));
    expect(await ask('u:1')).toEqual(['list', 'any']);
    expect([await metric('origin_local_cluster_up'), await metric('origin_ejections_total')]).toEqual(['0', '1']);
    expect(origin.counters.get('origin_failover_keys_total')).toBe(11);
    instance.server.setFault('asia', {});
    clock.advance(MAX_PROBE_MS);
    await ask('u:1');
    await eventually(async () => expect(await metric('origin_local_cluster_up')).toBe('1'));
    expect(await ask('u:1')).toEqual(['list', null]);
  });

  test.each([
    ["the caller's deadline", { readTimeoutMs: 60_000 }, '40'],
    ['its own bound when the caller has more time', { readTimeoutMs: 40 }, '60000'],
  ])('gives a Bigtable that does not answer no more than %s', async (_whose, config, deadline) => {
    const instance = await startInstance();
    const { clock, readLists } = await runOrigin(instance, config);
    instance.server.setFault('asia', { blackHole: true });
    instance.server.resetCounters();
    const reading = readLists([key('u:1')], { 'earshot-deadline-ms': deadline });
    await eventually(() => expect(instance.server.counters('asia').calls.ReadRows).toBe(1));
    clock.advance(40);
    const response = await reading;
    expect(await framesOf(response, 1)).toEqual([{ kind: 'error', code: 'deadline_exceeded' }]);
  });

  test('does not start what has no time left', async () => {
    const instance = await startInstance();
    const { readLists } = await runOrigin(instance);
    instance.server.resetCounters();
    const problem = await problemOf(await readLists([key('u:1')], { 'earshot-deadline-ms': '0' }));
    expect(problem).toMatchObject({ httpStatus: 504, status: 504, code: 'deadline_exceeded' });
    expect(instance.server.counters('asia').calls).not.toHaveProperty('ReadRows');
  });

  test.each(['', 'soon', '-1', '1.5', '1e3', '1000000'])('refuses the deadline %j', async (deadline) => {
    const { readLists } = await runOrigin(await startInstance());
    expect(await problemOf(await readLists([key('u:1')], { 'earshot-deadline-ms': deadline }))).toMatchObject({
      httpStatus: 400,
      code: 'invalid_request',
      detail: `expected earshot-deadline-ms to be a whole number of milliseconds, of up to 6 digits, got ${JSON.stringify(deadline)}`,
    });
  });
});

describe('a request that is refused', () => {
  const body = (change: object) => JSON.stringify({ keys: [{ ...key('u:1'), ...change }] });
  const keys = (count: number) => JSON.stringify({ keys: Array.from({ length: count }, (_, i) => key(`u:${i}`)) });

  test.each<[what: string, body: string, status: number, detail: RegExp]>([
    ['no JSON', '{"keys":', 400, /^expected a JSON body$/],
    ['nothing', '', 400, /^expected a JSON body$/],
    ['another shape', '[]', 400, /expected object/],
    ['no key', keys(0), 400, />=1 items/],
    ['201 keys', keys(201), 400, /<=200 items/],
    ['more than 128 KiB', `${keys(1)}${' '.repeat(128 * 1024)}`, 413, /^expected at most 131072 bytes$/],
    ['a user that could forge a row key', body({ user: 'a#b' }), 400, /keys\.0\.user/],
    ['a pseudo-user that nobody knows', body({ user: '~nobody' }), 400, /keys\.0\.user/],
    ['a user of 129 bytes', body({ user: 'u'.repeat(129) }), 400, /keys\.0\.user/],
    ['a surface with a slash', body({ surface: 'home/x' }), 400, /keys\.0\.surface/],
    ['a variant in capitals', body({ variant: 'Control' }), 400, /keys\.0\.variant/],
    ['a generation of 0', body({ generation: 0 }), 400, /keys\.0\.generation/],
    ['a generation in text', body({ generation: String(MONDAY) }), 400, /keys\.0\.generation/],
  ])('because it has %s is told so in one problem, and Bigtable is not asked', async (_what, text, status, detail) => {
    const instance = await startInstance();
    const { clock, origin } = await runOrigin(instance);
    instance.server.resetCounters();
    const authorization = `Bearer ${await mintOriginToken(clock)}`;
    const headers = { authorization, 'content-type': 'application/json' };
    const request = { method: 'POST', headers, body: text };
    const problem = await problemOf(await fetch(`${origin.url}${LISTS_READ_PATH}`, request));
    expect(problem).toMatchObject({ httpStatus: status, status, detail: expect.stringMatching(detail) });
    expect(instance.server.counters('asia').calls).not.toHaveProperty('ReadRows');
  });

  test('because its path is unknown is 404, inside only for those who may call', async () => {
    const { get, clock } = await runOrigin(await startInstance());
    const authorization = `Bearer ${await mintOriginToken(clock)}`;
    expect(await problemOf(await get('/nothing'))).toMatchObject({ httpStatus: 404, code: 'not_found' });
    expect(await problemOf(await get('/internal/v1/nothing', { authorization }))).toMatchObject({ httpStatus: 404 });
    expect(await problemOf(await get('/internal/v1/nothing'))).toMatchObject({ httpStatus: 401 });
  });
});

describe('a caller', () => {
  const unsigned = (claims: object) =>
    [{ alg: 'none' }, claims].map((part) => Buffer.from(JSON.stringify(part)).toString('base64url')).join('.');

  test('whose token is missing, expired, tampered with, not signed or meant for somebody else is refused everywhere inside', async () => {
    const instance = await startInstance();
    const { clock, get, origin } = await runOrigin(instance);
    const valid = await mintOriginToken(clock);
    const [header = '', payload = '', signature = ''] = valid.split('.');
    const later = JSON.parse(Buffer.from(payload, 'base64url').toString()) as { exp: number };
    const tampered = Buffer.from(JSON.stringify({ ...later, exp: later.exp + 3600 })).toString('base64url');
    const refused = {
      missing: undefined,
      'of another scheme': `Basic ${valid}`,
      'without a scheme': valid,
      expired: `Bearer ${await mintOriginToken(clock, { lifetimeSeconds: 0 })}`,
      'tampered with': `Bearer ${header}.${tampered}.${signature}`,
      'without its signature': `Bearer ${header}.${payload}.`,
      'signed with another key': `Bearer ${await mintOriginToken(clock, { secret: `${SECRET}-` })}`,
      'a listener\u2019s': `Bearer ${await mintOriginToken(clock, { audience: LISTENER_AUDIENCE })}`,
      'of alg none': `Bearer ${unsigned({ aud: 'earshot-origin', exp: later.exp })}.`,
      'of alg none with a signature': `Bearer ${unsigned({ aud: 'earshot-origin', exp: later.exp })}.${signature}`,
      'of no token form': 'Bearer token',
    };
    instance.server.resetCounters();
    for (const [what, authorization] of Object.entries(refused)) {
      const headers: Record<string, string> = authorization === undefined ? {} : { authorization };
      const read = { method: 'POST', headers, body: JSON.stringify({ keys: [key('u:1')] }) };
      const answers = [await get(MANIFEST_PATH, headers), await fetch(`${origin.url}${LISTS_READ_PATH}`, read)];
      for (const answer of answers) {
        const problem = await problemOf(answer);
        expect({ what, status: problem.httpStatus, code: problem.code }).toEqual({
          what,
          status: 401,
          code: 'unauthenticated',
        });
      }
    }
    expect(instance.server.counters('asia').calls).not.toHaveProperty('ReadRows');
    expect((await get(MANIFEST_PATH, { authorization: `Bearer ${valid}` })).status).toBe(200);
  });
});

describe('the manifest', () => {
  test('comes with an ETag, and is not sent again to a caller who has it', async () => {
    const instance = await startInstance();
    await writeVersion(instance.bigtable, 1);
    const { manifest, poll } = await runOrigin(instance);
    const first = await manifest();
    expect(await first.json()).toEqual(manifestOf(1));
    const etag = first.headers.get('etag') ?? '';
    expect(etag).toMatch(/^"[\w-]{22}"$/);
    const again = await manifest({ 'if-none-match': etag });
    expect([again.status, await again.text(), again.headers.get('etag')]).toEqual([304, '', etag]);
    await writeVersion(instance.bigtable, 2);
    await poll();
    const second = await manifest({ 'if-none-match': etag });
    expect(second.status).toBe(200);
    expect(second.headers.get('etag')).not.toBe(etag);
    expect(await second.json()).toEqual(manifestOf(2));
  });

  test('stays the last good one while the row is not a manifest or cannot be read', async () => {
    const instance = await startInstance();
    await writeVersion(instance.bigtable, 1);
    const { manifest, origin, poll } = await runOrigin(instance);
    const breaks = [
      () => writeManifestCell(instance.bigtable, 'not a manifest', NOW + 10),
      () => writeManifestCell(instance.bigtable, '{"version":2}', NOW + 11),
      async () => setFaultOfAll(instance.server, { down: true }),
    ];
    for (const [i, breakIt] of breaks.entries()) {
      await breakIt();
      await poll();
      expect(await (await manifest()).json()).toEqual(manifestOf(1));
      expect(origin.counters.get('origin_manifest_failures_total')).toBe(i + 1);
    }
    setFaultOfAll(instance.server, {});
    await writeManifestCell(instance.bigtable, JSON.stringify(manifestOf(3)), NOW + 12);
    await poll();
    expect(await (await manifest()).json()).toEqual(manifestOf(3));
  });

  test('comes from another cluster while the local one is down, never an older one, and its polls find out that it is back', async () => {
    const instance = await startInstance();
    const { server } = instance;
    await writeVersion(instance.bigtable, 1);
    const { manifest, origin, poll } = await runOrigin(instance, { appProfile: 'serve-us' });
    const version = async () => ((await (await manifest()).json()) as { version: number }).version;
    const readsOfUs = () => server.counters('us').calls.ReadRows ?? 0;
    server.stopReplication('europe');
    await writeVersion(instance.bigtable, 2);
    await poll();
    expect(await version()).toBe(2);
    for (const cluster of ['us', 'asia']) server.setFault(cluster, { down: true });
    for (let i = 0; i < 5; i++) await poll();
    expect([await version(), origin.counters.get('origin_ejections_total')]).toEqual([2, 1]);
    expect(origin.counters.get('origin_manifest_failures_total')).toBe(5);
    server.setFault('asia', {});
    await writeVersion(instance.bigtable, 3);
    await poll();
    expect(await version()).toBe(3);
    server.setFault('us', {});
    server.resetCounters();
    await eventually(async () => {
      await poll();
      expect(readsOfUs()).toBeGreaterThan(1);
    });
    expect(await version()).toBe(3);
  });

  test('comes as it is stored, with what a newer writer has put in, and with another ETag for other bytes', async () => {
    const instance = await startInstance();
    await writeVersion(instance.bigtable, 1);
    const { manifest, poll } = await runOrigin(instance);
    const before = (await manifest()).headers.get('etag');
    const json = JSON.stringify({ ...manifestOf(1), later: { it: 'knows' } });
    await writeManifestCell(instance.bigtable, json, NOW + 10);
    await poll();
    const restored = await manifest();
    expect(await restored.text()).toBe(json);
    expect(restored.headers.get('etag')).not.toBe(before);
  });
});

describe('readiness', () => {
  test('waits for primed connections and a manifest, which an instance without publications has too, and liveness does not', async () => {
    const instance = await startInstance();
    setFaultOfAll(instance.server, { down: true });
    const { get, manifest, poll } = await runOrigin(instance);
    expect((await get('/livez')).status).toBe(200);
    expect([(await get('/readyz')).status, (await manifest()).status]).toEqual([503, 503]);
    setFaultOfAll(instance.server, {});
    await poll();
    await eventually(async () => expect(await (await get('/readyz')).json()).toEqual({ status: 'ok' }));
    expect((await manifest()).status).toBe(200);
  });

  test('comes without the local cluster: another one does', async () => {
    const instance = await startInstance();
    instance.server.setFault('asia', { down: true });
    const { get, readLists } = await runOrigin(instance);
    expect((await get('/readyz')).status).toBe(200);
    expect(await framesOf(await readLists([key('u:1')]), 1)).toEqual([{ kind: 'absent' }]);
  });

  test('outlives a Bigtable that goes away', async () => {
    const instance = await startInstance();
    const { get, poll } = await runOrigin(instance);
    setFaultOfAll(instance.server, { down: true });
    await poll();
    expect((await get('/readyz')).status).toBe(200);
  });

  test('comes by itself when a Bigtable that nobody could connect to comes up', async () => {
    const gone = await startBigtable();
    await gone.close();
    const address = { project: 'contract', instance: 'recs', emulatorHost: gone.endpoint };
    const config = { ...originConfig(address), manifestPollMs: 20, drainDelayMs: 0 };
    const origin = await startOrigin(config, {
      clock: systemClock,
      logger: pino({ level: 'silent' }),
      loopLoad: () => IDLE_LOOP,
    });
    onTestFinished(() => origin.drain());
    expect((await fetch(`${origin.url}/readyz`)).status).toBe(503);
    const server = await startBigtable({ port: gone.port });
    onTestFinished(() => server.close());
    const bigtable = connectBigtable(address);
    await eventually(() => applySchema(bigtable, { clusters: CLUSTERS, dryRun: false }, () => undefined));
    await bigtable.close();
    const isReady = async () => expect((await fetch(`${origin.url}/readyz`)).status).toBe(200);
    await eventually(isReady);
  }, 30_000);
});

describe('a drain', () => {
  const isRefused = async (url: string) => {
    const socket = connect(Number(new URL(url).port), '127.0.0.1');
    try {
      await once(socket, 'connect');
      return false;
    } catch (error) {
      return (error as { code?: string }).code === 'ECONNREFUSED';
    } finally {
      socket.destroy();
    }
  };

  test('is told by readyz first, while requests are still taken', async () => {
    const { get, manifest, origin } = await runOrigin(await startInstance());
    void origin.drain();
    const ready = await get('/readyz');
    expect([ready.status, await ready.json()]).toEqual([503, { status: 'draining' }]);
    expect((await get('/livez')).status).toBe(200);
    expect((await manifest()).status).toBe(200);
  });

  test('answers the request in flight, takes no new connection, and is over with the last answer', async () => {
    const serverClock = createManualClock();
    const instance = await startInstance({ clock: serverClock });
    const { clock, origin, readLists } = await runOrigin(instance, { drainDelayMs: 5000, readTimeoutMs: 60_000 });
    await writeList(instance.bigtable, key('u:1'), 'the list');
    instance.server.setFault('asia', { latencyMs: 1000 });
    const reading = readLists([key('u:1')]);
    await eventually(() => expect(serverClock.pending()).toBe(1));
    let isDrained = false;
    const draining = origin.drain().then(() => {
      isDrained = true;
    });
    clock.advance(4999);
    expect(await isRefused(origin.url)).toBe(false);
    clock.advance(1);
    await eventually(async () => expect(await isRefused(origin.url)).toBe(true));
    expect(isDrained).toBe(false);
    serverClock.advance(1000);
    const response = await reading;
    expect(await framesOf(response, 1)).toMatchObject([{ kind: 'list' }]);
    expect(response.headers.get('connection')).toBe('close');
    await draining;
    expect(clock.pending()).toBe(0);
  });

  test('cuts off a request that outlasts it', async () => {
    const instance = await startInstance();
    const { clock, origin, readLists } = await runOrigin(instance, { readTimeoutMs: 60_000, drainTimeoutMs: 7000 });
    instance.server.resetCounters();
    instance.server.setFault('asia', { blackHole: true });
    const cutOff = expect(readLists([key('u:1')])).rejects.toThrow();
    await eventually(() => expect(instance.server.counters('asia').calls.ReadRows).toBe(1));
    const draining = origin.drain();
    clock.advance(5000);
    await eventually(async () => expect(await isRefused(origin.url)).toBe(true));
    clock.advance(7000);
    await cutOff;
    await draining;
    expect(clock.pending()).toBe(0);
  });
});

test('a port that is taken is an error at the start', async () => {
  const instance = await startInstance();
  const { origin } = await runOrigin(instance);
  await expect(runOrigin(instance, { port: Number(new URL(origin.url).port) })).rejects.toThrow('EADDRINUSE');
});
