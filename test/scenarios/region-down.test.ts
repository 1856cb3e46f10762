// A failing cluster affects only its own region, and failures are reported per key.

import { expect, test } from 'vitest';
import { toName, toUserId } from '../../shared/domain/ids.ts';
import { MONDAY, manifestOf, setFaultOfAll, writeList } from '../contracts/origin/instance.ts';
import { settleWith } from '../support/waiting.ts';
import { MANIFEST_POLL_MS, startThreeRegions } from './three-regions.ts';

const key = { surface: toName('home'), variant: toName('control'), generation: MONDAY, user: toUserId('ada') };

test('a cluster that is down fails no read: its region reads another one, and its own again after recovery', async () => {
  const { server, bigtable, clock, read } = await startThreeRegions();
  await writeList(bigtable, key, 'monday');
  server.setFault('europe', { down: true });
  server.resetCounters();
  const reads = Promise.all([read('asia', key), read('europe', key), read('us', key)]);
  expect(await settleWith(clock, reads, 1)).toEqual(['monday', 'monday', 'monday']);
  expect(server.counters('europe').calls.ReadRows).toBe(1);
  server.setFault('europe', {});
  server.resetCounters();
  expect(await read('europe', { ...key, user: toUserId('bob') })).toBe('absent');
  expect(server.counters('europe').calls.ReadRows).toBe(1);
});

test('an origin that reaches no cluster keeps its manifest', async () => {
  const { server, clock, origins, publish, manifestVersion } = await startThreeRegions();
  await publish(manifestOf(1));
  clock.advance(MANIFEST_POLL_MS);
  await expect.poll(() => manifestVersion('europe')).toBe(1);
  setFaultOfAll(server, { down: true });
  clock.advance(MANIFEST_POLL_MS);
  await expect.poll(() => origins.europe.counters.get('origin_manifest_failures_total')).toBe(1);
  expect(await manifestVersion('europe')).toBe(1);
  expect((await fetch(`${origins.europe.url}/readyz`)).status).toBe(200);
});
