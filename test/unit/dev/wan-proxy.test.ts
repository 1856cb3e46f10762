import { once } from 'node:events';
import { createServer } from 'node:http';
import { afterEach, expect, test } from 'vitest';
import { DEV_LOCATIONS } from '../../../dev/topology.ts';
import { startWanProxy } from '../../../dev/wan-proxy.ts';
import { createManualClock, pause, systemClock } from '../../../shared/clock.ts';
import { DEV_LOCATION_HEADER, distanceKm, estimateRoundTripMs } from '../../../shared/regions.ts';
import { findFreePorts } from '../../support/local-cloud.ts';

const opened: { close(): unknown }[] = [];
afterEach(() => Promise.all(opened.splice(0).map((each) => each.close())));

async function startTarget(): Promise<number> {
  const server = createServer((request, response) => {
    response.writeHead(207, { 'x-path': request.url ?? '' });
    request.pipe(response);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  opened.push(server);
  return (server.address() as { port: number }).port;
}

async function openProxy() {
  const clock = createManualClock();
  const { origins } = await findFreePorts();
  const origin = `http://127.0.0.1:${origins}`;
  const region = { name: 'asia', origin, locationHint: 'apac', latitude: 1.35, longitude: 103.82 } as const;
  opened.push(await startWanProxy(region, await startTarget(), clock));
  const call = (place?: string) =>
    fetch(`${origin}/some/path?x=1`, {
      method: 'POST',
      body: 'hello',
      headers: place === undefined ? {} : { [DEV_LOCATION_HEADER]: place },
    });
  /** Resolves once a request is being held back. */
  const held = async () => {
    while (clock.pending() === 0) await pause(systemClock, 1);
  };
  return { clock, region, call, held };
}

test('a request is held back for the round trip from where its caller is, then passed on as it is', async () => {
  const { clock, region, call, held } = await openProxy();
  const place = DEV_LOCATIONS.LHR ?? region;
  const roundTripMs = estimateRoundTripMs(distanceKm(place, region));
  expect(roundTripMs).toBeGreaterThan(100);
  let isAnswered = false;
  const answer = call('LHR').then((response) => {
    isAnswered = true;
    return response;
  });
  await held();
  clock.advance(Math.floor(roundTripMs));
  expect(clock.pending()).toBe(1);
  expect(isAnswered).toBe(false);
  clock.advance(1);
  const response = await answer;
  expect(response.status).toBe(207);
  expect(response.headers.get('x-path')).toBe('/some/path?x=1');
  expect(await response.text()).toBe('hello');
});

test('a caller who does not say where it is comes from Texas', async () => {
  const { clock, region, call, held } = await openProxy();
  const answer = call();
  await held();
  clock.advance(Math.floor(estimateRoundTripMs(distanceKm(DEV_LOCATIONS.DFW ?? region, region))));
  expect(clock.pending()).toBe(1);
  clock.advance(1);
  expect(await (await answer).text()).toBe('hello');
});
