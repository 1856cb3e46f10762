// The metrics of an origin of several processes, with real processes (test/support/metrics-cluster.ts).
import { afterEach, expect, test } from 'vitest';
import { spawnNode } from '../../support/local-cloud.ts';

const running: ReturnType<typeof spawnNode>[] = [];

afterEach(async () => {
  for (const { child, exited } of running.splice(0)) {
    child.kill('SIGKILL');
    await exited;
  }
});

async function startCluster(workers: number) {
  const started = spawnNode(['test/support/metrics-cluster.ts', String(workers)]);
  running.push(started);
  await started.printed('listening on');
  const [, url = ''] = /listening on (\S+)/.exec(started.output.stdout) ?? [];
  const get = async (path: string) => {
    const response = await fetch(`${url}${path}`);
    return { status: response.status, worker: response.headers.get('worker') ?? '', text: await response.text() };
  };
  const scrape = async () => {
    const { status, worker, text } = await get('/metrics');
    return { status, worker, values: parse(text) };
  };
  /** Counts a read in each of the workers, whichever of them is asked when. */
  const readInEach = async (): Promise<number> => {
    const seen = new Set<string>();
    let reads = 0;
    while (seen.size < workers) {
      seen.add((await get('/reads?n=1')).worker);
      reads++;
    }
    return reads;
  };
  return { get, scrape, readInEach, output: started.output };
}

/** Values by name and labels, as they stand in the text. */
const parse = (text: string): Record<string, number> =>
  Object.fromEntries(
    [...text.matchAll(/^(\w+(?:\{[^}]*\})?) (\S+)$/gm)].map(([, name, value]) => [name ?? '', Number(value)]),
  );

const READS = 'earshot_origin_reads_total{region="asia"}';
const OBSERVED = 'earshot_origin_read_seconds_count{outcome="ok",region="asia"}';
const FAST = 'earshot_origin_read_seconds_bucket{le="0.005",outcome="ok",region="asia"}';
const REPORTING = 'earshot_origin_workers_reporting{region="asia"}';
const BYTES = 'earshot_origin_cached_bytes{cache="lists",region="asia"}';

test('whichever worker is asked, its metrics are the sum over all', async () => {
  const { readInEach, scrape } = await startCluster(3);
  const reads = await readInEach();
  const scrapes = [await scrape(), await scrape(), await scrape(), ...(await Promise.all([scrape(), scrape()]))];
  expect(new Set(scrapes.map(({ worker }) => worker)).size).toBeGreaterThan(1);
  for (const { values } of scrapes)
    expect(values).toMatchObject({
      [READS]: reads,
      [OBSERVED]: reads,
      [FAST]: reads,
      [REPORTING]: 3,
      [BYTES]: 3000,
      'earshot_origin_concurrency_limit{region="asia"}': 1200,
    });
  expect(Object.keys(scrapes[0]?.values ?? {}).some((name) => name.startsWith('process_cpu_seconds_total'))).toBe(true);
});

test('a worker that hangs is left out, and what it had counted stays in the sums', async () => {
  const { get, readInEach, scrape } = await startCluster(3);
  const reads = await readInEach();
  expect((await scrape()).values[READS]).toBe(reads);
  await get('/hang');
  const { status, values } = await scrape();
  expect(status).toBe(200);
  expect(values).toMatchObject({ [REPORTING]: 2, [BYTES]: 2000, [READS]: reads, [OBSERVED]: reads });
});

test('a worker that has gone leaves what it had counted in the sums', async () => {
  const { get, readInEach, scrape } = await startCluster(3);
  const reads = await readInEach();
  expect((await scrape()).values[READS]).toBe(reads);
  await get('/exit');
  await get('/exit');
  await expect.poll(async () => (await scrape()).values[REPORTING]).toBe(1);
  const { values } = await scrape();
  expect(values).toMatchObject({ [BYTES]: 1000, [READS]: reads, [OBSERVED]: reads, [FAST]: reads });
});
