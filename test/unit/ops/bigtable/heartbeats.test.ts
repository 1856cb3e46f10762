import { expect, test } from 'vitest';
import { LIVE_MS, liveHeartbeats } from '../../../../ops/bigtable/heartbeats.ts';
import { parseHeartbeat } from '../../../../shared/wire/heartbeat.ts';

const NOW = 1_795_402_800_000;
const heartbeat = {
  region: 'asia',
  process: '0b1d',
  build: '0.1.0',
  startedAtMs: NOW - 60_000,
  writtenAtMs: NOW,
  manifestVersion: 17,
};

test('a process is live until 15 s after its newest heartbeat, unless it drains', () => {
  const all = [
    { name: 'new', storedAtMs: NOW, isDraining: false },
    { name: 'last moment', storedAtMs: NOW - LIVE_MS, isDraining: false },
    { name: 'gone', storedAtMs: NOW - LIVE_MS - 1, isDraining: false },
    { name: 'draining', storedAtMs: NOW, isDraining: true },
    { name: 'by a clock that is ahead', storedAtMs: NOW + 60_000, isDraining: false },
  ];
  expect(liveHeartbeats(all, NOW).map(({ name }) => name)).toEqual(['new', 'last moment', 'by a clock that is ahead']);
});

test('a heartbeat of a later form keeps its unknown fields, and one of the first form gets the defaults', () => {
  const later = { ...heartbeat, format: 7, documents: { blocks: 3 } };
  expect(parseHeartbeat(JSON.stringify(later))).toEqual({ ...later, isDraining: false, cohorts: {} });
  expect(parseHeartbeat(JSON.stringify(heartbeat)).format).toBe(1);
});

test('a wrong heartbeat is one error that names the field', () => {
  expect(() => parseHeartbeat(JSON.stringify({ ...heartbeat, manifestVersion: '17' }))).toThrow(
    /^the heartbeat is not valid: manifestVersion: .*expected (int|number), received string/,
  );
});
