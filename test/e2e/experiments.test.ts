// An experiment in a running local cloud: created, started, read, shown, exported and tested, by commands and HTTP.
import { OFREPProvider } from '@openfeature/ofrep-provider';
import { OpenFeature } from '@openfeature/server-sdk';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import type { CommandResult, TestCloud } from '../../bench/rigs/local-cloud.ts';
import type { ArchivedExposure } from '../../shared/domain/experiments/archive.ts';
import { startTestCloud } from '../support/earshot/test-cloud.ts';
import { eventually, eventuallySeldom } from '../support/waiting.ts';

/** The queue hands a batch to its consumer after at most 10 s. */
vi.setConfig({ testTimeout: 300_000 });
const WHY = ['--why', 'a test'];
const USERS = 400;
const BATCH = 100;
const SINCE = '2026-01-01T00:00:00Z';

let cloud: TestCloud;
let service: string;

beforeAll(async () => {
  cloud = await startTestCloud();
  service = await cloud.mintToken('service:test', 'recs:read:any');
});

afterAll(async () => {
  await cloud?.stop();
});

async function done(...args: string[]): Promise<CommandResult> {
  const result = await cloud.earshot(...args);
  expect(result, args.join(' ')).toMatchObject({ code: 0 });
  return result;
}

const post = (path: string, body: object): Promise<Response> =>
  fetch(`${cloud.edgeUrl}${path}`, {
    ...{ method: 'POST', body: JSON.stringify(body) },
    headers: { authorization: `Bearer ${service}`, 'content-type': 'application/json' },
  });

interface Result {
  readonly user: string;
  readonly variant: string;
  readonly experiment: string;
  readonly exposure?: string;
}

async function readAll(users: readonly string[]): Promise<Result[]> {
  const results: Result[] = [];
  for (let from = 0; from < users.length; from += BATCH) {
    const reads = users.slice(from, from + BATCH).map((user) => ({ user, surface: 'home', limit: 1 }));
    const answer = (await (await post('/v1/recommendations:batch', { reads })).json()) as { results: Result[] };
    results.push(...answer.results);
  }
  return results;
}

async function exported(): Promise<ArchivedExposure[]> {
  const { stdout } = await done('exposures', 'export', '--since', SINCE);
  return stdout
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as ArchivedExposure);
}

test('an experiment is created, started, read, shown, exported, tested and stopped', async () => {
  const users = Array.from({ length: USERS }, (_, i) => `listener:${i + 1}`);
  await done('experiment', 'create', 'ranking', '--surface', 'home', '--arm', 'control=50', '--arm', 'knn=50', ...WHY);
  expect((await readAll(users.slice(0, 5))).map(({ experiment }) => experiment)).toEqual(Array(5).fill('home'));
  const dry = await done('experiment', 'start', 'ranking', '--dry-run', ...WHY);
  expect(dry.stdout).toMatch(/home\/control -> ranking\/knn: \d+/);
  await done('experiment', 'start', 'ranking', ...WHY);
  expect((await done('layer', 'list')).stdout).toMatch(/home +ranking +100 % +0-9999/);

  const results = await readAll(users);
  expect(results.filter(({ experiment }) => experiment !== 'ranking')).toEqual([]);
  const explained = JSON.parse((await done('experiment', 'explain', 'listener:7', '--json')).stdout) as {
    surfaces: { surface: string; variant: string; experiment: string }[];
  };
  expect(explained.surfaces.find(({ surface }) => surface === 'home')).toMatchObject({
    ...{ variant: results[6]?.variant, experiment: 'ranking', reason: 'bucket' },
  });

  // Each is shown; one in four is reported twice.
  for (let from = 0; from < USERS; from += BATCH) {
    const exposures = results.slice(from, from + BATCH).map(({ exposure = '' }) => exposure);
    for (const part of [exposures, exposures.slice(0, BATCH / 4)]) {
      const response = await post('/v1/exposures', { exposures: part });
      expect(response.status).toBe(202);
    }
  }
  await eventuallySeldom(async () => expect(await exported()).toHaveLength(USERS));
  const all = await exported();
  expect(new Set(all.map(({ userRef }) => userRef)).size).toBe(USERS);
  for (const arm of ['control', 'knn'])
    expect(all.filter((each) => each.arm === arm)).toHaveLength(
      results.filter(({ variant }) => variant === arm).length,
    );
  expect(JSON.stringify(all)).not.toContain('listener:');

  const report = await done('experiment', 'srm', 'ranking', '--json');
  expect(JSON.parse(report.stdout)).toMatchObject({ experiment: 'ranking', users: USERS, crossovers: 0, causes: [] });
  await done('experiment', 'close', 'ranking', ...WHY);
  await done('experiment', 'stop', 'ranking', ...WHY);
  expect((await readAll(users.slice(0, 5))).map(({ experiment }) => experiment)).toEqual(Array(5).fill('home'));
  expect((await done('experiment', 'show', 'ranking')).stdout).toMatch(
    /experiment stop ranking[\s\S]*experiment close ranking[\s\S]*experiment start ranking[\s\S]*experiment create ranking/,
  );
});

/** A fetch that asks by ETag for what it has, and the statuses that came. */
function createCachingFetch() {
  const kept = new Map<string, { readonly etag: string; readonly body: string }>();
  const statuses: number[] = [];
  const fetchKept: typeof fetch = async (input, init) => {
    const request = new Request(input, init);
    const key = `${request.url} ${await request.clone().text()}`;
    const known = kept.get(key);
    if (known !== undefined) request.headers.set('if-none-match', known.etag);
    const response = await fetch(request);
    statuses.push(response.status);
    if (response.status === 304) return new Response(known?.body, { headers: { 'content-type': 'application/json' } });
    const body = await response.text();
    kept.set(key, { etag: response.headers.get('etag') ?? '', body });
    return new Response(body, response);
  };
  return { fetch: fetchKept, statuses };
}

test("OpenFeature's client evaluates an experiment, and confirms it by ETag until it changes", async () => {
  const arms = ['--arm', 'control=50', '--arm', 'knn=50'];
  await done('experiment', 'create', 'shelves', '--surface', 'home', ...arms, ...WHY);
  await done('experiment', 'start', 'shelves', ...WHY);
  const caching = createCachingFetch();
  const headers = [['authorization', `Bearer ${service}`] as [string, string]];
  const provider = new OFREPProvider({ baseUrl: cloud.edgeUrl, headers, fetchImplementation: caching.fetch });
  await OpenFeature.setProviderAndWait(provider);
  const client = OpenFeature.getClient();
  const users = Array.from({ length: 20 }, (_, i) => `listener:${i + 1}`);
  const evaluate = (flag: string) =>
    Promise.all(users.map((targetingKey) => client.getStringDetails(flag, 'none', { targetingKey })));

  const first = await evaluate('shelves');
  const lists = await readAll(users);
  expect(first.map(({ value, reason }) => [value, reason])).toEqual(lists.map(({ variant }) => [variant, 'SPLIT']));
  expect(new Set(first.map(({ value }) => value))).toEqual(new Set(['control', 'knn']));
  expect(await evaluate('shelves')).toEqual(first);
  expect(caching.statuses).toEqual([...users.map(() => 200), ...users.map(() => 304)]);

  await done('experiment', 'stop', 'shelves', ...WHY);
  await eventually(async () =>
    expect((await evaluate('shelves')).map(({ reason }) => reason)).toEqual(users.map(() => 'DISABLED')),
  );
  expect((await evaluate('nothing'))[0]).toMatchObject({ value: 'none', errorCode: 'FLAG_NOT_FOUND' });
  await OpenFeature.close();
});
