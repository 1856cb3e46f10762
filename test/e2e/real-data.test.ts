// A day of real recommendations through all of Earshot: file, loader, Bigtable, origin and worker. The answers equal
// the input.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startTestCloud, type TestCloud } from '../../bench/rigs/local-cloud.ts';
import { BEHIND_PORT_OFFSET } from '../../dev/topology.ts';
import { formatCount } from '../../ops/cli/format.ts';
import { forEachConcurrently } from '../support/concurrency.ts';
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
      /^origin-(asia|europe|us); fwd=miss; fwd-status=200, region-\1; .*stored, colo; .*stored, isolate; .*stored$/,
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

  test.each(['control', 'knn'])("every user's answer on %s equals the file byte for byte", async (variant) => {
    const expected = file(`home.${variant}`);
    const wrong: string[] = [];
    await forEachConcurrently(everybody(), async (user) => {
      const text = await (await read(user, 'home', `?limit=100&variant=${variant}`)).text();
      const items = text.slice(text.indexOf('"items":') + '"items":'.length, -1);
      const want = expected.get(user);
      // Between two items the edge adds a newline after the comma; all other bytes are the file's.
      const isRight = want === undefined ? text.includes('"source":"popular"') : items.replaceAll(',\n', ',') === want;
      if (!isRight) wrong.push(user);
    });
    expect(wrong).toEqual([]);
    expect(everybody().filter((user) => expected.has(user))).toHaveLength(expected.size);
  });

  test('the share of users on knn at weight 10 % is within sampling error', async () => {
    let onKnn = 0;
    const users = everybody();
    await forEachConcurrently(users, async (user) => {
      const answer = (await (await read(user, 'home', '?limit=1')).json()) as Answer;
      if (answer.variant === 'knn') onKnn++;
    });
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
    const wrong: string[] = [];
    /** Each answer must equal the file of the generation that it names. */
    const places = ['LHR', 'SFO', 'NRT', undefined];
    const readAll = (shift: number) =>
      forEachConcurrently([...everybody().entries()], async ([i, user]) => {
        const place = places[(i + shift) % places.length];
        const headers: Record<string, string> = place === undefined ? {} : { 'Earshot-Dev-Location': place };
        const text = await (
          await get(`/v1/users/${user}/recommendations/home?limit=100&variant=control&fallback=none`, headers)
        ).text();
        const named = /"generation":"([^"]+)"/.exec(text)?.[1] ?? '';
        const want = files.get(named)?.get(user);
        const items = text.slice(text.indexOf('"items":') + '"items":'.length, -1).replaceAll(',\n', ',');
        seen.add(named);
        if (want === undefined ? !text.includes('no_recommendations') : items !== want) wrong.push(`${user} ${named}`);
      });
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
    expect(wrong).toEqual([]);
    expect(seen.has(generation)).toBe(true);
    const answer = (await (await read('lastfm:2', 'home', '?variant=control&limit=100')).json()) as Answer;
    expect([answer.generation, answer.items]).toEqual([
      generation,
      JSON.parse(files.get(generation)?.get('lastfm:2') ?? ''),
    ]);
  });
});

/** The output of the load. */
function findLog({ stateDirectory }: TestCloud): string {
  return readFileSync(join(stateDirectory, 'logs/load.log'), 'utf8');
}
