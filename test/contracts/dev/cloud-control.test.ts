// The control API of the launcher: faults and parts that another process can read and set.
import { expect, test } from 'vitest';
import { createCloudControl } from '../../../dev/cloud/control.ts';
import type { RegionProxy } from '../../../dev/region-proxy/proxy.ts';
import type { RegionFault } from '../../../ops/fault/region-fault.ts';

function makeProxy(name: string, failure?: Error): RegionProxy {
  let fault: RegionFault = {};
  return {
    name,
    fault: () => fault,
    silenced: () => 0,
    setFault: async (next) => {
      if (failure !== undefined) throw failure;
      fault = next;
    },
    close: async () => undefined,
  };
}

function makeControl() {
  const proxies = [makeProxy('asia'), makeProxy('us', new Error('listen EADDRINUSE'))];
  const killed: string[] = [];
  const supervisor = {
    status: () => [{ name: 'edge', state: 'ready' as const, restarts: killed.length }],
    kill: (name: string) => {
      if (name === 'edge') killed.push(name);
      return name === 'edge';
    },
  };
  const app = createCloudControl(proxies, supervisor);
  return async (method: string, path: string, body?: string) => {
    const response = await app.request(path, body === undefined ? { method } : { method, body });
    return { status: response.status, body: await response.json() };
  };
}

const HEALTHY = {
  regions: [
    { name: 'asia', fault: {} },
    { name: 'us', fault: {} },
  ],
};

test('a fault is set, shown, replaced and healed', async () => {
  const call = makeControl();
  expect(await call('GET', '/regions')).toEqual({ status: 200, body: HEALTHY });
  const fault = { latencyMs: 500, jitterMs: 50, errorShare: 0.5, dripBytesPerSecond: 100 };
  const set = await call('PUT', '/regions/asia/fault', JSON.stringify(fault));
  expect(set).toMatchObject({ status: 200, body: { regions: [{ fault }, { fault: {} }] } });
  await call('PUT', '/regions/asia/fault', '{"down":true}');
  expect(await call('GET', '/regions')).toMatchObject({ body: { regions: [{ fault: { down: true } }, {}] } });
  expect(await call('PUT', '/regions/asia/fault', '{}')).toEqual({ status: 200, body: HEALTHY });
});

test.each([
  ['/regions/mars/fault', '{}', 404, 'expected one of asia, us, got "mars"'],
  ['/regions/asia/fault', 'not json', 400, /^expected an object with members of down, .*, got undefined$/],
  ['/regions/asia/fault', '{"slow":true}', 400, /^expected members of down, .*, got slow$/],
  ['/regions/asia/fault', '{"down":1}', 400, 'down: expected true or false, got 1'],
  ['/regions/asia/fault', '{"latencyMs":-1}', 400, 'latencyMs: expected milliseconds from 0 to 600000, got -1'],
  ['/regions/asia/fault', '{"jitterMs":"1"}', 400, 'jitterMs: expected milliseconds from 0 to 600000, got "1"'],
  ['/regions/asia/fault', '{"errorShare":1.1}', 400, 'errorShare: expected a share from 0 to 1, got 1.1'],
  ['/regions/asia/fault', '{"dripBytesPerSecond":0}', 400, /^dripBytesPerSecond: expected bytes per second from 1 to/],
  [
    '/regions/asia/fault',
    '{"reset":true,"latencyMs":5}',
    400,
    /^expected down, blackHole, reset each to stand alone, got/,
  ],
  ['/regions/us/fault', '{"down":true}', 500, 'listen EADDRINUSE'],
])('PUT %s with %s is answered %i with one clear line, and changes nothing', async (path, body, status, error) => {
  const call = makeControl();
  const expected = typeof error === 'string' ? error : expect.stringMatching(error);
  expect(await call('PUT', path, body)).toEqual({ status, body: { error: expected } });
  expect(await call('GET', '/regions')).toEqual({ status: 200, body: HEALTHY });
});

test('a part is killed by its name', async () => {
  const request = makeControl();
  const edge = { name: 'edge', state: 'ready' };
  expect(await request('GET', '/parts')).toEqual({ status: 200, body: { parts: [{ ...edge, restarts: 0 }] } });
  expect(await request('PUT', '/parts/kill', '{"part":"edge"}')).toEqual({
    status: 200,
    body: { parts: [{ ...edge, restarts: 1 }] },
  });
  expect(await request('PUT', '/parts/kill', '{"part":"nobody"}')).toEqual({
    status: 404,
    body: { error: 'expected one of edge, got "nobody"' },
  });
  expect((await request('PUT', '/parts/kill', '{}')).status).toBe(400);
});
