// An experiment in a running local cloud: created, started, read, shown, exported and tested, by commands and HTTP.
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { type CommandResult, startTestCloud, type TestCloud } from '../../bench/rigs/local-cloud.ts';
import type { ArchivedExposure } from '../../shared/domain/experiments/archive.ts';
import { eventually } from '../support/waiting.ts';

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
  await eventually(async () => expect(await exported()).toHaveLength(USERS));
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
