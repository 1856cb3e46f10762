// `earshot fault` and `earshot status` against a running local cloud: callers see injected faults, and healing removes
// them.
import { once } from 'node:events';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { type CommandResult, spawnNode, type TestCloud } from '../../bench/rigs/local-cloud.ts';
import type { LocalCloud } from '../../ops/cli/settings.ts';
import type { PartStatus } from '../../ops/status/part-status.ts';
import { runInProcess } from '../support/earshot/command-in-process.ts';
import { startTestCloud } from '../support/earshot/test-cloud.ts';
import { eventuallySeldom } from '../support/waiting.ts';

interface Status {
  edge: { regions: { name: string; state: string }[]; counters: Record<string, number> };
  tiers: { tier: string; hits: number; asked: number }[];
  origins: { name: string; readiness: string; metrics: Record<string, number> }[];
  parts: PartStatus[];
}

let cloud: TestCloud;
let token: string;
beforeAll(async () => {
  cloud = await startTestCloud();
  token = await cloud.mintToken('service:1', 'recs:read:any');
});
afterAll(() => cloud?.stop());
afterEach(async () => {
  expect(await cloud.earshot('fault', '--heal')).toMatchObject({ code: 0 });
});

const fault = async (...args: string[]): Promise<string> => {
  const { code, stdout, stderr } = await cloud.earshot('fault', ...args);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  return stdout;
};
const refused = async (...args: string[]): Promise<{ code: number; message: string }> => {
  const { code, stdout, stderr }: CommandResult = await cloud.earshot(...args);
  expect([stdout, stderr.trim().split('\n')]).toEqual(['', [expect.any(String)]]);
  return { code, message: stderr.trim() };
};
const readStatus = async (...args: string[]): Promise<Status> => {
  const { code, stdout, stderr } = await cloud.earshot('status', '--json', ...args);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  return JSON.parse(stdout) as Status;
};

/** Reads an uncached list from Europe. Returns Cache-Status, which names the regions. */
async function readFromEurope(user: string): Promise<string> {
  const response = await fetch(`${cloud.edgeUrl}/v1/users/${user}/recommendations/home`, {
    headers: { Authorization: `Bearer ${token}`, 'Earshot-Dev-Location': 'AMS' },
  });
  expect(response.status, await response.text()).toBe(200);
  return response.headers.get('cache-status') ?? '';
}

/** A member of Cache-Status. A hedge may overtake the second region on a busy machine. */
const ANOTHER_REGION = /origin-(us|asia); fwd=miss; fwd-status=200/;

const originUrl = (i: number): string => `http://127.0.0.1:${cloud.ports.origins + i}`;

test('a region that is down is skipped by the edge, is visible in the status, and serves again after healing', async () => {
  expect(await readFromEurope('listener:11')).toContain('origin-europe; fwd=miss; fwd-status=200');
  expect(await fault('europe', '--down')).toMatch(/^asia +no fault\neurope +down\nus +no fault\n/);
  await expect(fetch(`${originUrl(1)}/livez`)).rejects.toMatchObject({ cause: { code: 'ECONNREFUSED' } });
  const during = await readFromEurope('listener:12');
  expect(during).not.toContain('origin-europe; fwd=miss; fwd-status=200');
  expect(during).toMatch(ANOTHER_REGION);
  const { origins } = await readStatus();
  expect(origins.map(({ name, readiness }) => [name, readiness])).toEqual([
    ['asia', 'ok'],
    ['europe', expect.stringContaining('ECONNREFUSED')],
    ['us', 'ok'],
  ]);
  expect(await fault('europe', '--heal')).toMatch(/^asia +no fault\neurope +no fault\n/);
  expect((await fetch(`${originUrl(1)}/livez`)).status).toBe(200);
  expect((await readStatus()).origins[1]?.readiness).toBe('ok');
});

test.each([
  ['listener:13', ['--black-hole'], 'no answer in time'],
  ['listener:14', ['--reset'], expect.stringContaining('ECONNRESET')],
  ['listener:15', ['--errors', '1'], 'status 500'],
])(
  "the list of %s comes from another region when the nearest has %j, and the status shows the fault's effect",
  async (user, args, readiness) => {
    await fault('europe', ...args);
    const status = await readFromEurope(user);
    expect(status).not.toContain('origin-europe; fwd=miss; fwd-status=200');
    expect(status).toMatch(ANOTHER_REGION);
    // The metrics do not come through the region's proxy.
    const metrics = expect.objectContaining({ earshot_origin_manifest_version: expect.any(Number) });
    expect((await readStatus()).origins[1]).toMatchObject({ name: 'europe', readiness, metrics });
  },
);

test('the status lists the regions in order and the hits of each tier', async () => {
  for (let i = 0; i < 2; i++) await readFromEurope('listener:21');
  const status = await readStatus('--from', 'AMS');
  expect(status.edge.regions.map(({ name }) => name)).toEqual(['europe', 'us', 'asia']);
  expect((await readStatus('--from', 'SYD')).edge.regions[0]?.name).toBe('asia');
  const tiers = Object.fromEntries(status.tiers.map(({ tier, ...hits }) => [tier, hits]));
  expect(Object.keys(tiers)).toEqual(['isolate', 'colo', 'region', 'origin']);
  expect(tiers.isolate?.hits).toBeGreaterThanOrEqual(1);
  for (const { hits, asked } of Object.values(tiers)) {
    expect(asked).toBeGreaterThanOrEqual(1);
    expect(hits).toBeLessThanOrEqual(asked);
  }
  const { stdout } = await cloud.earshot('status');
  expect(stdout).toMatch(
    /^region +state .*\n(.+\n){3}\nmanifest: version .*\n\nretry budget: .*\n\ntier +hits .*\n(.+\n){4}\ncallers +reads .*\nlisteners .*\n\norigin +ready .*\n(.+\n){3}\npart +state .*\n(.+\n){6}$/,
  );
});

test.each(['origin/asia', 'bigtable', 'edge'])(
  '%s starts again after a kill, and the status shows it',
  async (name) => {
    const partIn = ({ parts }: Status) => parts.find((part) => part.name === name);
    const before = partIn(await readStatus());
    await fault(name, '--kill');
    await eventuallySeldom(async () =>
      expect(partIn(await readStatus())).toMatchObject({
        state: 'ready',
        restarts: (before?.restarts ?? 0) + 1,
        lastEnd: { reason: 'SIGKILL' },
      }),
    );
    expect(await readFromEurope(`listener:${60 + name.length}`)).toContain('fwd-status=200');
  },
);

test('the status is watched until Ctrl-C', async () => {
  const watching = spawnNode(['ops/earshot.mjs', 'status', '--watch', '--json'], {
    EARSHOT_STATE_DIR: cloud.stateDirectory,
  });
  await new Promise<void>((resolve) => {
    watching.child.stdout.on('data', () => {
      if (watching.output.stdout.split('\n').length > 2) resolve();
    });
  });
  watching.child.kill('SIGINT');
  expect(await watching.exited).toBe(0);
  const [first = '', second = ''] = watching.output.stdout.split('\n');
  expect([first, second].map((line) => (JSON.parse(line) as Status).origins.length)).toEqual([3, 3]);
});

test('an unknown place is a one-line error', async () => {
  expect(await refused('status', '--from', 'XXX')).toEqual({
    code: 1,
    message: expect.stringMatching(/^earshot: expected Earshot-Dev-Location to be one of AMS, .*, got "XXX"$/),
  });
});

test('faults of Bigtable and of its replication are set, shown and healed together', async () => {
  await fault('bigtable/us', '--latency', '20', '--jitter', '5', '--errors', '0.25', '--rows-per-second', '5000');
  await fault('replication', '--stop', 'asia,europe', '--lag', '900');
  await fault('asia', '--errors', '0.5');
  expect(await fault()).toBe(`asia             errors 50.0 %
europe           no fault
us               no fault
bigtable/asia    no fault
bigtable/europe  no fault
bigtable/us      latency 20 ms, jitter up to 5 ms, errors 25.0 %, at most 5000 rows/s
replication      lag 900 ms, asia, europe cut off
`);
  await fault('replication', '--heal');
  expect(JSON.parse(await fault('--json'))).toEqual({
    regions: { asia: { errorShare: 0.5 }, europe: {}, us: {} },
    bigtable: {
      clusters: { asia: {}, europe: {}, us: { latencyMs: 20, jitterMs: 5, errorShare: 0.25, rowsPerSecond: 5000 } },
      replication: { lagMs: 50, initialLagMs: 50, stopped: [] },
    },
  });
  expect(await fault('--heal')).not.toMatch(/errors|latency/);
});

test('a cluster that is down fails its own origin’s reads, and listeners have their lists all the same', async () => {
  const failures = async (): Promise<number[]> => {
    const { origins } = await readStatus();
    return origins.map(({ metrics }) => metrics.earshot_origin_bigtable_failures_total ?? Number.NaN);
  };
  const before = await failures();
  expect(await fault('bigtable/europe', '--down')).toMatch(/bigtable\/europe +down/);
  await readFromEurope('listener:31');
  const after = await failures();
  expect(after.map((count, i) => count > (before[i] ?? 0))).toEqual([false, true, false]);
});

describe('a part that this local cloud lacks', () => {
  test.each([
    [
      ['mars', '--down'],
      'expected one of asia, europe, us, bigtable/asia, bigtable/europe, bigtable/us, replication, got "mars"',
    ],
    [['mars'], 'got "mars"'],
    [['origin/mars', '--kill'], 'got "origin/mars"'],
    [['origin/asia'], 'expected --kill for origin/asia, got no option'],
    [['europe'], 'expected an option for the target'],
    [['bigtable/mars', '--down'], 'expected one of asia, europe, us, got "mars"'],
    [['replication', '--stop', 'europe,mars'], 'expected one of asia, europe, us, got "mars"'],
  ])('is refused: fault %j', async (args, message) => {
    expect(await refused('fault', ...args)).toEqual({ code: 2, message: expect.stringContaining(message) });
    expect(await fault()).not.toMatch(/down|cut off/);
  });

  test('is refused without an embedded Bigtable; faults of regions work without it', async () => {
    const { bigtableControlUrl, ...other } = describeCloud();
    expect(bigtableControlUrl).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/);
    writeFileSync(join(cloud.stateDirectory, 'cloud.json'), JSON.stringify(other));
    try {
      for (const args of [
        ['bigtable/europe', '--down'],
        ['replication', '--stop', 'us'],
      ]) {
        const message = 'earshot: no embedded Bigtable in this local cloud: only that one takes faults';
        expect(await refused('fault', ...args)).toEqual({ code: 2, message });
      }
      expect(await fault('us', '--latency', '5')).toMatch(/us +latency 5 ms\nbigtable +not the embedded one/);
      expect(await fault('--heal')).toMatch(/us +no fault\n/);
    } finally {
      writeFileSync(join(cloud.stateDirectory, 'cloud.json'), JSON.stringify({ ...other, bigtableControlUrl }));
    }
  });
});

test('a local cloud that does not answer is a one-line error with exit code 1', async () => {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const url = `http://127.0.0.1:${(server.address() as { port: number }).port}`;
  server.close();
  await once(server, 'close');
  const directory = join(cloud.stateDirectory, 'gone');
  const gone = { ...describeCloud(), edgeUrl: url, controlUrl: url };
  mkdirSync(directory);
  writeFileSync(join(directory, 'cloud.json'), JSON.stringify(gone));
  for (const [command, what] of [
    ['fault', 'the local cloud'],
    ['status', 'the launcher'],
  ]) {
    const result = await runInProcess([command ?? ''], { EARSHOT_STATE_DIR: directory });
    expect(result).toMatchObject({ code: 1, stdout: '' });
    expect(result.stderr).toMatch(new RegExp(`^earshot: ${what} does not answer at ${url}.*ECONNREFUSED.*\\n$`));
  }
});

const describeCloud = (): LocalCloud =>
  JSON.parse(readFileSync(join(cloud.stateDirectory, 'cloud.json'), 'utf8')) as LocalCloud;
