// One cluster in trouble is that region's trouble alone, and it is said per key.
import { expect, test } from 'vitest';
import { MONDAY, manifestOf, writeList } from '../contracts/origin/instance.ts';
import { settleWith } from '../contracts/origin/waiting.ts';
import { MANIFEST_POLL_MS, startThreeRegions } from './three-regions.ts';

const key = { surface: 'home', variant: 'control', generation: MONDAY, user: 'ada' };

test('a cluster that is down fails its own region at once and no other, and heals by itself', async () => {
  const { server, bigtable, clock, read } = await startThreeRegions();
  await writeList(bigtable, key, 'monday');
  server.setFault('europe', { down: true });
  server.resetCounters();
  const reads = Promise.all([read('asia', key), read('europe', key), read('us', key)]);
  expect(await settleWith(clock, reads, 1)).toEqual(['monday', 'unavailable', 'monday']);
  // The call and what it is repeated before it is given up.
  expect(server.counters('europe').calls).toEqual({ ReadRows: 4 });
  server.setFault('europe', {});
  await expect.poll(() => read('europe', key)).toBe('monday');
});

test('an origin whose cluster is down keeps the manifest that it has', async () => {
  const { server, clock, origins, publish, manifestVersion } = await startThreeRegions();
  await publish(manifestOf(1));
  clock.advance(MANIFEST_POLL_MS);
  await expect.poll(() => manifestVersion('europe')).toBe(1);
  server.setFault('europe', { down: true });
  clock.advance(MANIFEST_POLL_MS);
  await expect.poll(() => origins.europe.counters.get('origin_manifest_failures_total')).toBe(1);
  expect(await manifestVersion('europe')).toBe(1);
  expect((await fetch(`${origins.europe.url}/readyz`)).status).toBe(200);
});
