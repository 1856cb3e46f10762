// A day of real recommendations through all of Earshot: file, loader, Bigtable, origin and worker. The answers equal
// the input.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { TestCloud } from '../../bench/rigs/local-cloud.ts';
import { BEHIND_PORT_OFFSET } from '../../dev/topology.ts';
import { formatCount } from '../../ops/cli/format.ts';
import { forEachConcurrently } from '../support/concurrency.ts';
import { startTestCloud } from '../support/earshot/test-cloud.ts';
import { findProcesses } from '../support/processes.ts';
import { describeWithRealData, realData } from '../support/real-data.ts';
import { readItemsByUser } from '../support/recommendation-files.ts';

interface Answer {
  readonly user: string;
  readonly variant: string;
  readonly generation: string;
  readonly source: string;
  readonly items: { id: string; score: number }[];
}

interface Outcome {
  readonly status: number;
  readonly problem?: { readonly code: string };
}

/** Reads of one batch. */
const BATCH = 22;

const GEN1 = 'lastfm/gen1';

describeWithRealData('recommendations for 1 892 listeners', GEN1, () => {
  let cloud: TestCloud;
  let service: string;

  beforeAll(async () => {
    cloud = await startTestCloud('--data', realData(GEN1));
    service = await cloud.mintToken('service', 'recs:read:any', 'recs:preview');
  });
  afterAll(() => cloud?.stop());

  const get = (path: string, headers: Record<string, string> = {}) =>
    fetch(`${cloud.edgeUrl}${path}`, { headers: { Authorization: `Bearer ${service}`, ...headers } });
  const read = (user: string, surface: string, query = '') =>
    get(`/v1/users/${user}/recommendations/${surface}${query}`);
  const file = (name: string) => readItemsByUser(realData(`${GEN1}/${name}.ndjson.gz`));
  let nextUser = 100;
  const everybody = () => [...file('rediscover.control').keys()];

  /** One batch: an answer for each of `users`. */
  async function readBatch(users: readonly string[], read: object, place?: string): Promise<(Answer & Outcome)[]> {
    const response = await fetch(`${cloud.edgeUrl}/v1/recommendations:batch`, {
      method: 'POST',
      body: JSON.stringify({ reads: users.map((user) => ({ user, surface: 'home', ...read })) }),
      headers: {
        Authorization: `Bearer ${service}`,
        'Content-Type': 'application/json',
        ...(place === undefined ? {} : { 'Earshot-Dev-Location': place }),
      },
    });
    return ((await response.json()) as { results: (Answer & Outcome)[] }).results;
  }

  test('all 5 660 lists and 17 632 items are loaded', () => {
    const log = findLog(cloud);
    const lists = [...log.matchAll(/: ([\d ]+) lists? from 1 file/g)].map(([, count = '']) =>
      Number(count.replaceAll(' ', '')),
    );
    expect(lists.reduce((sum, count) => sum + count, 0)).toBe(5660);
    expect(log).toContain(`${formatCount(17_632)} items from 1 file`);
  });

  test.each([1, 50, 100])(
    'limit=%i gives the first items of the file, in its order and with its scores',
    async (limit) => {
      const expected = JSON.parse(file('home.control').get('lastfm:2') ?? '') as unknown[];
      const token = await cloud.mintToken('lastfm:2');
      const response = await get(`/v1/me/recommendations/home?limit=${limit}`, { Authorization: `Bearer ${token}` });
      const answer = (await response.json()) as Answer;
      expect(answer).toMatchObject({ user: 'lastfm:2', source: 'personal', variant: 'control' });
      expect(answer.items).toEqual(expected.slice(0, limit));
    },
  );

  test('a first read names the region that it came from, and the next is a hit', async () => {
    const first = await read('lastfm:8', 'rediscover');
    expect(first.headers.get('Cache-Status')).toMatch(
      // A machine that is busy makes a hedge, whose loser is cancelled.
      /^(?:origin-\w+; fwd=miss; detail=cancelled, )?origin-(asia|europe|us); fwd=miss; fwd-status=200, region-\1; .*stored, colo; .*stored, isolate; .*stored$/,
    );
    const second = await read('lastfm:8', 'rediscover');
    expect(second.headers.get('Cache-Status')).toMatch(/^isolate; hit; ttl=\d+$/);
    expect(await second.text()).toBe(await first.text());
  });

  test.each([
    ['NRT', 'asia'],
    ['SYD', 'asia'],
    ['LHR', 'europe'],
    ['LOS', 'europe'],
    ['SFO', 'us'],
    ['GRU', 'us'],
  ])('a caller at %s is served by %s', async (place, region) => {
    const user = everybody()[nextUser++] ?? '';
    const response = await get(`/v1/users/${user}/recommendations/rediscover`, { 'Earshot-Dev-Location': place });
    expect(response.headers.get('Cache-Status')).toContain(`origin-${region}; fwd=miss; fwd-status=200`);
    await response.text();
  });

  test('If-None-Match with the ETag of an answer gets 304 and no body', async () => {
    const first = await read('lastfm:2', 'home');
    const etag = first.headers.get('ETag') ?? '';
    await first.text();
    expect(etag).toMatch(/^"[^"]+"$/);
    const second = await get('/v1/users/lastfm:2/recommendations/home', { 'If-None-Match': etag });
    expect(second.status).toBe(304);
    expect(await second.text()).toBe('');
  });

  test('an unknown user gets the popular list, and 404 with fallback=none', async () => {
    const popular = (await (await read('lastfm:0', 'home', '?limit=100')).json()) as Answer;
    expect(popular).toMatchObject({ user: 'lastfm:0', source: 'popular' });
    expect(popular.items).toEqual(
      (JSON.parse(file('popular.control').get('~popular') ?? '') as unknown[]).slice(0, 100),
    );
    const none = await read('lastfm:0', 'home', '?fallback=none');
    expect(none.status).toBe(404);
    expect(await none.json()).toMatchObject({ code: 'no_recommendations', status: 404 });
  });

  test("every user's answer on control equals the file byte for byte", async () => {
    const expected = file('home.control');
    const wrong: string[] = [];
    await forEachConcurrently(everybody(), async (user) => {
      const text = await (await read(user, 'home', '?limit=100&variant=control')).text();
      const items = text.slice(text.indexOf('"items":') + '"items":'.length, -1);
      const want = expected.get(user);
      // Between two items the edge adds a newline after the comma; all other bytes are the file's.
      const isRight = want === undefined ? text.includes('"source":"popular"') : items.replaceAll(',\n', ',') === want;
      if (!isRight) wrong.push(user);
    });
    expect(wrong).toEqual([]);
    expect(everybody().filter((user) => expected.has(user))).toHaveLength(expected.size);
  });

  test("every user's answer on knn in a batch equals the file", async () => {
    const expected = file('home.knn');
    for (const users of inBatches(everybody())) {
      for (const { user, source, items } of await readBatch(users, { limit: 100, variant: 'knn' })) {
        const want = expected.get(user);
        if (want === undefined) expect(source).toBe('popular');
        else expect(items, user).toEqual(JSON.parse(want));
      }
    }
  });

  test('the share of users on knn at weight 10 % is within sampling error', async () => {
    const users = everybody();
    let onKnn = 0;
    for (const batch of inBatches(users))
      for (const { variant } of await readBatch(batch, { limit: 1 })) if (variant === 'knn') onKnn++;
    const standardError = Math.sqrt((0.1 * 0.9) / users.length);
    expect(Math.abs(onKnn / users.length - 0.1)).toBeLessThan(3 * standardError);
  });

  test('a region with a hanging origin is failed over to the next one', async () => {
    const port = cloud.ports.origins + 1 + BEHIND_PORT_OFFSET;
    const [europe] = findProcesses(`PORT=${port}\0`).filter(({ command }) => command.includes('origin/start.mjs'));
    if (europe === undefined) throw new Error(`expected an origin on port ${port}, got none`);
    process.kill(europe.pid, 'SIGSTOP');
    try {
      const user = everybody().at(-1) ?? '';
      const response = await get(`/v1/users/${user}/recommendations/rediscover`, { 'Earshot-Dev-Location': 'LHR' });
      expect(response.status).toBe(200);
      expect(response.headers.get('Cache-Status')).toMatch(
        /origin-us; fwd=miss; fwd-status=200.*origin-europe; fwd=miss|origin-europe; fwd=miss.*origin-us; fwd=miss; fwd-status=200/,
      );
      await response.text();
    } finally {
      process.kill(europe.pid, 'SIGCONT');
    }
  });

  test('the next generation goes live region by region, and every answer equals the file of the generation it names', async () => {
    const path = realData('lastfm/gen2/home.control.ndjson.gz');
    const first = ((await (await read('lastfm:2', 'home')).json()) as Answer).generation;
    const generation = new Date(Date.parse(first) + 1000).toISOString();
    const which = ['--surface', 'home', '--variant', 'control', '--generation', generation];
    expect((await cloud.earshot('ingest', path, ...which)).code).toBe(0);
    const files = new Map([
      [first, file('home.control')],
      [generation, readItemsByUser(path)],
    ]);
    const seen = new Set<string>();
    const places = ['LHR', 'SFO', 'NRT', undefined];
    /** Each answer must equal the file of the generation that it names. */
    const readAll = async (shift: number): Promise<void> => {
      for (const [i, users] of inBatches(everybody()).entries()) {
        const read = { limit: 100, variant: 'control', fallback: 'none' };
        const answers = await readBatch(users, read, places[(i + shift) % places.length]);
        for (const [at, { generation: named, items, status, problem }] of answers.entries()) {
          const user = users[at] ?? '';
          if (status !== 200)
            expect([user, problem?.code, files.get(generation)?.get(user)]).toEqual([
              user,
              'no_recommendations',
              undefined,
            ]);
          else expect(items, `${user} ${named}`).toEqual(JSON.parse(files.get(named)?.get(user) ?? ''));
          seen.add(named);
        }
      }
    };
    await readAll(0);
    const options = ['--regions', 'europe,us,asia', '--between', '4s', '--ramp', '8s'];
    const publishing = cloud.earshot('publish', `home/control@${generation}`, ...options);
    let isOver = false;
    const published = publishing.finally(() => {
      isOver = true;
    });
    for (let shift = 0; !isOver; shift++) await readAll(shift);
    expect((await published).stdout).toContain('is live (version');
    seen.clear();
    await readAll(1);
    expect(seen.has(generation)).toBe(true);
    const answer = (await (await read('lastfm:2', 'home', '?variant=control&limit=100')).json()) as Answer;
    expect([answer.generation, answer.items]).toEqual([
      generation,
      JSON.parse(files.get(generation)?.get('lastfm:2') ?? ''),
    ]);
  });
});

const inBatches = (users: readonly string[]): (readonly string[])[] =>
  Array.from({ length: Math.ceil(users.length / BATCH) }, (_, i) => users.slice(i * BATCH, (i + 1) * BATCH));

/** The output of the load. */
function findLog({ stateDirectory }: TestCloud): string {
  return readFileSync(join(stateDirectory, 'logs/load.log'), 'utf8');
}
