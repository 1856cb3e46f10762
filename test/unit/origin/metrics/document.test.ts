// docs/metrics.md and the registry name the same metrics, with the same types and labels, and every reason for
// shedding.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { SHED_REASONS } from '../../../../origin/guard/shed-error.ts';
import { createMetrics } from '../../../../origin/metrics/metrics.ts';
import { createCounters } from '../../../../shared/runtime/counters.ts';

const repository = join(import.meta.dirname, '../../../..');
const document = readFileSync(join(repository, 'docs/metrics.md'), 'utf8');
const [, ofOrigin = '', ofEdge = '', ofProcess = ''] = document.split(/^## .*$/m);

const own = ofOrigin + ofEdge;

const described = (withProcess: boolean) =>
  createMetrics({
    region: 'asia',
    counters: createCounters(),
    withProcess,
    state: () => ({
      queued: 0,
      executing: 0,
      concurrencyLimit: 0,
      flights: 0,
      isLocalClusterUp: true,
      manifestVersion: 17,
      manifestFailedPolls: 2,
      liveAges: [],
      openReleases: [],
      degradedRegions: [],
      caches: { lists: { bytes: 0, entries: 0 }, items: { bytes: 0, entries: 0 } },
    }),
  }).describe();

test("the document tells of every metric that is Earshot's own, and of no other", () => {
  const rows = [...own.matchAll(/^\| `(earshot_\w+)` +\| (\w+) +\| ([^|]*)\|/gm)].map(
    ([, name, type, labels = '']) => ({
      name,
      type,
      labels: [...labels.matchAll(/`(\w+)`/g)].map(([, label]) => label),
    }),
  );
  const byName = (a: { name?: string | undefined }, b: { name?: string | undefined }): number =>
    String(a.name).localeCompare(String(b.name));
  expect(rows.sort(byName)).toEqual(described(false).sort(byName));
});

test('the document tells of every reason for which a read is shed, and of no other', () => {
  const told = [...own.matchAll(/^\| `([a-z_]+)` +\| [^|]*\| [^|]*\|$/gm)].map(([, reason]) => reason);
  expect(told).toEqual([...SHED_REASONS]);
});

test('what the document tells of the process is there', () => {
  const named = [...ofProcess.matchAll(/`((?:nodejs|process)_\w+)`/g)].map(([, name]) => name ?? '');
  expect(named.length).toBeGreaterThan(5);
  const names = new Set(described(true).map(({ name }) => name));
  expect(named.filter((name) => !names.has(name))).toEqual([]);
});
