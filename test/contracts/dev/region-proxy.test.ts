// The region proxy: the effect of each fault on a caller's sockets, and the full recovery after healing.
import { once } from 'node:events';
import { createServer } from 'node:net';
import { describe, expect, test } from 'vitest';
import { DEV_LOCATIONS } from '../../../dev/topology.ts';
import type { RegionFault } from '../../../ops/fault/region-fault.ts';
import { expectedRoundTripMs } from '../../../shared/domain/distance-prior.ts';
import { eventually } from '../../support/waiting.ts';
import { codeOf, type ProxiedRegion, startProxiedRegion } from './proxied-region.ts';

const CUT_OFF = /^(UND_ERR_SOCKET|ECONNRESET)$/;

/** Checks that the region answers as without a fault. */
async function expectHealed({ call, proxy }: ProxiedRegion): Promise<void> {
  await proxy.setFault({});
  const response = await call();
  expect([response.status, await response.text()]).toEqual([207, 'hello']);
}

describe('without a fault', () => {
  test('a request is passed on as it is, and so is its answer', async () => {
    const { arrived, call, clock } = await startProxiedRegion();
    const response = await call();
    expect(response.status).toBe(207);
    expect(response.headers.get('x-path')).toBe('/some/path?x=1');
    expect(await response.text()).toBe('hello');
    expect(arrived).toEqual(['POST /some/path?x=1']);
    expect(clock.pending()).toBe(0);
  });

  test('a connection ends without an answer if the origin is down', async () => {
    const { call } = await startProxiedRegion({ hasOrigin: false });
    expect(await codeOf(call())).toMatch(CUT_OFF);
  });

  test('a caller that disconnects cancels the request to the origin', async () => {
    const { arrived, call, holdAnswers, ended } = await startProxiedRegion();
    holdAnswers();
    const leaving = new AbortController();
    const answer = call({ signal: leaving.signal });
    await eventually(() => expect(arrived).toHaveLength(1));
    leaving.abort();
    await expect(answer).rejects.toThrow('aborted');
    await eventually(() => expect(ended()).toBe(1));
  });
});

describe('a region that is far', () => {
  test.each([
    ['where its caller says it is', 'LHR', 'LHR'],
    ['Texas for one who does not say', undefined, 'DFW'],
  ])('holds a request back for the round trip from %s', async (_where, place, code) => {
    const { arrived, call, clock, held, region } = await startProxiedRegion({ isFar: true });
    const roundTripMs = expectedRoundTripMs(region, DEV_LOCATIONS[code] ?? region);
    expect(roundTripMs).toBeGreaterThan(100);
    const answer = call(place === undefined ? {} : { place });
    await held();
    clock.advance(Math.floor(roundTripMs));
    expect([clock.pending(), arrived]).toEqual([1, []]);
    clock.advance(1);
    expect(await (await answer).text()).toBe('hello');
  });
});

describe('down', () => {
  test('refuses connections and cuts those that are open, until it is healed', async () => {
    const proxied = await startProxiedRegion();
    const { call, open, proxy } = proxied;
    const socket = await open();
    const closed = once(socket, 'close');
    await proxy.setFault({ down: true });
    await closed;
    expect(await codeOf(call())).toBe('ECONNREFUSED');
    await expectHealed(proxied);
  });

  test('cannot be healed while another process uses its port, and reports the error', async () => {
    const proxied = await startProxiedRegion();
    const { proxy, region } = proxied;
    await proxy.setFault({ down: true });
    const squatter = createServer().listen(Number(new URL(region.origin).port), '127.0.0.1');
    await once(squatter, 'listening');
    await expect(proxy.setFault({})).rejects.toThrow('EADDRINUSE');
    expect(proxy.fault()).toEqual({ down: true });
    squatter.close();
    await once(squatter, 'close');
    await expectHealed(proxied);
  });

  test('cuts an answer that is awaited', async () => {
    const { arrived, call, holdAnswers, proxy } = await startProxiedRegion();
    holdAnswers();
    const answer = call();
    await eventually(() => expect(arrived).toHaveLength(1));
    const code = codeOf(answer);
    await proxy.setFault({ down: true });
    expect(await code).toMatch(CUT_OFF);
  });

  test('set twice and healed twice is down and healed', async () => {
    const proxied = await startProxiedRegion();
    const { call, proxy } = proxied;
    await Promise.all([proxy.setFault({ down: true }), proxy.setFault({ down: true })]);
    expect(await codeOf(call())).toBe('ECONNREFUSED');
    await Promise.all([proxy.setFault({}), proxy.setFault({})]);
    await expectHealed(proxied);
  });

  test('and healed at the same moment apply in the order of the calls', async () => {
    const { call, proxy } = await startProxiedRegion();
    await Promise.all([proxy.setFault({ down: true }), proxy.setFault({})]);
    expect((await call()).status).toBe(207);
    await Promise.all([proxy.setFault({ down: true }), proxy.setFault({}), proxy.setFault({ down: true })]);
    expect(await codeOf(call())).toBe('ECONNREFUSED');
  });
});

describe('a black hole', () => {
  test('accepts connections without answering, and closes them when it is healed', async () => {
    const proxied = await startProxiedRegion();
    const { arrived, call, clock, proxy } = proxied;
    await proxy.setFault({ blackHole: true });
    const code = codeOf(call());
    await eventually(() => expect(proxy.silenced()).toBe(1));
    clock.advance(3_600_000);
    await proxy.setFault({});
    expect(await code).toMatch(CUT_OFF);
    expect(arrived).toEqual([]);
    await expectHealed(proxied);
  });

  test('swallows the next request of an open connection', async () => {
    const { arrived, open, proxy } = await startProxiedRegion();
    const socket = await open();
    const send = () => socket.write('GET /next HTTP/1.1\r\nHost: asia\r\n\r\n');
    send();
    await once(socket, 'data');
    await proxy.setFault({ blackHole: true });
    send();
    await eventually(() => expect(proxy.silenced()).toBe(1));
    expect(arrived).toEqual(['GET /next']);
  });

  test('swallows an answer that has not started', async () => {
    const { arrived, call, holdAnswers, proxy } = await startProxiedRegion();
    const answers = holdAnswers();
    const code = codeOf(call());
    await eventually(() => expect(arrived).toHaveLength(1));
    await proxy.setFault({ blackHole: true });
    answers.release();
    await eventually(() => expect(proxy.silenced()).toBe(1));
    await proxy.setFault({});
    expect(await code).toMatch(CUT_OFF);
  });

  test('forgets a caller that has disconnected', async () => {
    const { open, proxy } = await startProxiedRegion();
    await proxy.setFault({ blackHole: true });
    const socket = await open();
    await eventually(() => expect(proxy.silenced()).toBe(1));
    socket.end();
    await eventually(() => expect(proxy.silenced()).toBe(0));
  });
});

describe('reset', () => {
  test('resets connections that come and those that are open', async () => {
    const proxied = await startProxiedRegion();
    const { arrived, call, open, proxy } = proxied;
    const before = await open();
    const first = once(before, 'error');
    before.write('GET / HTTP/1.1\r\nHost: asia\r\n\r\n');
    await once(before, 'data');
    await proxy.setFault({ reset: true });
    expect(await first).toMatchObject([{ code: 'ECONNRESET' }]);
    expect(arrived).toEqual(['GET /']);
    expect(await codeOf(call())).toBe('ECONNRESET');
    await expectHealed(proxied);
  });
});

describe('latency', () => {
  test('and jitter are added to every request', async () => {
    const { arrived, call, clock, held, proxy } = await startProxiedRegion({ chances: [0.5] });
    await proxy.setFault({ latencyMs: 500, jitterMs: 100 });
    const answer = call();
    await held();
    clock.advance(549);
    expect([clock.pending(), arrived]).toEqual([1, []]);
    clock.advance(1);
    expect(await (await answer).text()).toBe('hello');
  });

  test('is that of a share of the requests, when one is set', async () => {
    const { call, clock, held, proxy } = await startProxiedRegion({ chances: [0.25, 0.24] });
    await proxy.setFault({ latencyMs: 500, latencyShare: 0.25 });
    expect(await (await call()).text()).toBe('hello');
    const answer = call();
    await held();
    clock.advance(500);
    expect(await (await answer).text()).toBe('hello');
  });

  test('is added to the round trip', async () => {
    const { call, clock, held, proxy, region } = await startProxiedRegion({ isFar: true });
    await proxy.setFault({ latencyMs: 500 });
    const answer = call({ place: 'LHR' });
    await held();
    clock.advance(500 + Math.floor(expectedRoundTripMs(region, DEV_LOCATIONS.LHR ?? region)));
    expect(clock.pending()).toBe(1);
    clock.advance(1);
    expect((await answer).status).toBe(207);
  });
});

test('errors are answered in the place of their share of requests, which the origin never sees', async () => {
  const { arrived, call, proxy } = await startProxiedRegion({ chances: [0.29, 0.3, 0.99, 0] });
  await proxy.setFault({ errorShare: 0.3 });
  const statuses: number[] = [];
  for (let i = 0; i < 4; i++) {
    const response = await call();
    await response.text();
    statuses.push(response.status);
  }
  expect(statuses).toEqual([500, 207, 207, 500]);
  expect(arrived).toHaveLength(2);
});

test('a drip lets the answer begin at once and its body come at the rate', async () => {
  const { call, clock, held, proxy } = await startProxiedRegion();
  await proxy.setFault({ dripBytesPerSecond: 20 });
  const response = await call({ body: 'x'.repeat(40) });
  expect(response.status).toBe(207);
  let isWhole = false;
  const text = response.text().then((whole) => {
    isWhole = true;
    return whole;
  });
  for (let pieces = 0; pieces < 20; pieces++) {
    expect(isWhole).toBe(false);
    await held();
    clock.advance(99);
    expect(clock.pending()).toBe(1);
    clock.advance(1);
  }
  expect(await text).toBe('x'.repeat(40));
  expect(clock.pending()).toBe(0);
});

test('a fault replaces the one before', async () => {
  const faults: RegionFault[] = [
    { down: true },
    { reset: true },
    { blackHole: true },
    { latencyMs: 5 },
    { down: true },
  ];
  const proxied = await startProxiedRegion();
  for (const fault of faults) {
    await proxied.proxy.setFault(fault);
    expect(proxied.proxy.fault()).toEqual(fault);
  }
  await expectHealed(proxied);
});
