// Answers in three regions while data is loaded, goes live and replicates late.

import { expect, test } from 'vitest';
import { createManualClock } from '../../bench/support/manual-clock.ts';
import { waitForReplication } from '../../ops/bigtable/replication.ts';
import { toName, toUserId } from '../../shared/domain/ids.ts';
import { TABLES } from '../../shared/domain/keys.ts';
import { MONDAY, manifestOf, REGIONS, TUESDAY, writeList } from '../contracts/origin/instance.ts';
import { MANIFEST_POLL_MS, startThreeRegions } from './three-regions.ts';

const list = (user: string, generation: number) => ({
  surface: toName('home'),
  variant: toName('control'),
  generation,
  user: toUserId(user),
});

test('a user who is missing from a new generation keeps the list from the one before, in every region', async () => {
  const regions = await startThreeRegions();
  await writeList(regions.bigtable, list('ada', MONDAY), 'monday');
  await writeList(regions.bigtable, list('bob', TUESDAY), 'tuesday');
  for (const region of REGIONS) {
    expect(await regions.read(region, list('ada', TUESDAY))).toBe('monday');
    expect(await regions.read(region, list('bob', TUESDAY))).toBe('tuesday');
    expect(await regions.read(region, list('bob', MONDAY))).toBe('absent');
  }
});

test('going back to the generation before is a change of one number', async () => {
  const regions = await startThreeRegions();
  await writeList(regions.bigtable, list('ada', MONDAY), 'monday');
  await writeList(regions.bigtable, list('ada', TUESDAY), 'tuesday');
  for (const region of REGIONS) {
    expect(await regions.read(region, list('ada', TUESDAY))).toBe('tuesday');
    expect(await regions.read(region, list('ada', MONDAY))).toBe('monday');
  }
});

test('lists that have not reached a region hold the publication back until they have', async () => {
  const { server, bigtable, read } = await startThreeRegions();
  const clock = createManualClock();
  await writeList(bigtable, list('ada', MONDAY), 'monday');
  server.stopReplication('us');
  await writeList(bigtable, list('ada', TUESDAY), 'tuesday');
  expect(await read('us', list('ada', TUESDAY))).toBe('monday');
  await expect(waitForReplication(bigtable, TABLES.recommendations, { clock, timeoutMs: 0 })).rejects.toMatchObject({
    code: 'deadline_exceeded',
  });
  server.resumeReplication('us');
  await waitForReplication(bigtable, TABLES.recommendations, { clock, timeoutMs: 0 });
  for (const region of REGIONS) expect(await read(region, list('ada', TUESDAY))).toBe('tuesday');
});

test('a new manifest is with every origin after one poll, and a region that lags keeps the one it has', async () => {
  const regions = await startThreeRegions();
  const poll = async () => {
    const before = REGIONS.map((region) => regions.origins[region].counters.get('origin_manifest_polls_total'));
    regions.clock.advance(MANIFEST_POLL_MS);
    const after = REGIONS.map((region) => regions.origins[region].counters.get('origin_manifest_polls_total'));
    expect(after).toEqual(before.map((count) => count + 1));
  };
  const versions = () => Promise.all(REGIONS.map((region) => regions.manifestVersion(region)));
  expect(await versions()).toEqual([0, 0, 0]);
  regions.server.stopReplication('us');
  await regions.publish(manifestOf(1));
  await poll();
  await expect.poll(versions).toEqual([1, 1, 0]);
  regions.server.resumeReplication('us');
  await poll();
  await expect.poll(versions).toEqual([1, 1, 1]);
});
