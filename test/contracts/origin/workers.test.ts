// The origin as several processes on one port (`WORKERS`), with real ones: what they share, and what is left when one
// of them is not well.
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { createServer } from 'node:net';
import { describe, expect, test } from 'vitest';
import { systemClock } from '../../../shared/runtime/clock.ts';
import { runNode } from '../../support/local-cloud.ts';
import { eventually } from '../../support/waiting.ts';
import { MONDAY, startInstance, writeList } from './instance.ts';
import { type RunningWorkers, runWorkers, signal, WORKERS, workersEnvironment } from './running-workers.ts';

const LIST = '{"id":"a","score":1}';

const writeLists = ({ bigtable }: RunningWorkers, users: readonly string[]) =>
  Promise.all(
    users.map((user) => writeList(bigtable, { surface: 'home', variant: 'control', generation: MONDAY, user }, LIST)),
  );
const linesOf = (text: string) => text.trimEnd().split('\n');

describe('two processes', () => {
  test('serve one port: of many connections each gets some', async () => {
    const workers = await runWorkers();
    const [own] = workers.usersOf(0, 1) as [string];
    const connections = Array.from({ length: 40 }, () => workers.connect());
    // Not from memory, so that every connection that did not reach the owner is a call to it.
    const results = await Promise.all(connections.map((connection) => connection.read([own], { maxAgeMs: 0 })));
    expect(results.map(([result]) => result?.kind)).toEqual(Array(40).fill('absent'));
    const throughOther = await workers.counter('origin_sibling_reads_total');
    expect(throughOther).toBeGreaterThan(0);
    expect(await workers.counter('origin_reads_total')).toBe(40);
    const [first, second] = await workers.connectToEach();
    expect([(await first.get('/livez')).status, (await second.get('/livez')).status]).toEqual([200, 200]);
  });

  test('read a list from the table once, and the one that does not keep it then has it too', async () => {
    const workers = await runWorkers();
    const [first, second] = await workers.connectToEach();
    const users = [...workers.usersOf(0, 5), ...workers.usersOf(1, 5)];
    await writeLists(workers, users);
    const askedBefore = workers.keysAsked();
    const siblingReads = await workers.counter('origin_sibling_reads_total');
    const hits = await workers.counter('origin_memory_hits_total');

    // Read for this answer, if by the other process: no age.
    for (const result of await first.read(users)) expect(result).not.toHaveProperty('ageMs');
    expect(workers.keysAsked() - askedBefore).toBe(10);
    expect((await workers.counter('origin_sibling_reads_total')) - siblingReads).toBe(5);

    // What comes from memory tells its age once there is one, whose memory it may be.
    const readAtMs = systemClock.now();
    await eventually(() => expect(systemClock.now()).toBeGreaterThan(readAtMs));
    for (const result of await second.read(users))
      expect(result).toMatchObject({ kind: 'list', ageMs: expect.any(Number) });
    expect((await workers.counter('origin_sibling_reads_total')) - siblingReads).toBe(10);
    for (const connection of [first, second]) await connection.read(users);
    expect((await workers.counter('origin_sibling_reads_total')) - siblingReads).toBe(10);
    expect(workers.keysAsked() - askedBefore).toBe(10);
    expect((await workers.counter('origin_memory_hits_total')) - hits).toBeGreaterThanOrEqual(30);
  });

  test('make one load of a crowd that is spread over both, without waiting for each other', async () => {
    const workers = await runWorkers();
    const [first, second] = await workers.connectToEach();
    const users = [...workers.usersOf(0, 1), ...workers.usersOf(1, 1)];
    await writeLists(workers, users);
    workers.server.resetCounters();
    workers.server.setFault('asia', { latencyMs: 200 });
    const crowd = [first, second].flatMap((connection) => [connection.read(users), connection.read(users)]);
    const more = Array.from({ length: 20 }, () => workers.connect().read(users));
    for (const results of await Promise.all([...crowd, ...more]))
      expect(results.map(({ kind }) => kind)).toEqual(['list', 'list']);
    expect(workers.keysAsked()).toBe(2);
    expect(await workers.counter('origin_sibling_failures_total')).toBe(0);
  });

  test('are one in /metrics, whichever is asked', async () => {
    const workers = await runWorkers();
    const [first, second] = await workers.connectToEach();
    const reads = await workers.counter('origin_reads_total');
    await first.read(workers.usersOf(0, 3));
    await second.read(workers.usersOf(1, 4));
    expect(await workers.counter('origin_reads_total', first)).toBe(reads + 7);
    expect(await workers.counter('origin_reads_total', second)).toBe(reads + 7);
    for (const connection of [first, second])
      expect((await connection.get('/metrics')).text).toMatch(/^earshot_origin_workers_reporting\{[^}]*\} 2$/m);
  });
});

describe('a process that is not well', () => {
  test('is started anew when it was killed, and what arrives meanwhile is answered', async () => {
    const workers = await runWorkers();
    const killed = workers.pidOf(1);
    signal(killed, 'SIGKILL');
    await eventually(() => expect(workers.pids()).not.toContain(killed));
    let isBack = false;
    const back = workers.listened(WORKERS + 1).then(() => {
      isBack = true;
    });
    let reads = 0;
    while (!isBack) {
      const users = [...workers.usersOf(0, 1), ...workers.usersOf(1, 1)];
      const read = () => workers.connect().read(users);
      // The primary may just be giving a connection to the one that has ended: it breaks, and its caller comes again.
      const results = await read().catch(read);
      expect(results).toEqual([{ kind: 'absent' }, { kind: 'absent' }]);
      reads++;
    }
    await back;
    expect(reads).toBeGreaterThan(1);
    expect(workers.pidOf(1)).not.toBe(killed);
    expect(workers.running.output.stdout).toMatch(
      /"worker":1,.*"signal":"SIGKILL".*a worker ended; it is started anew/,
    );

    const failures = await workers.counter('origin_sibling_failures_total');
    const [first] = await workers.connectToEach();
    const siblingReads = await workers.counter('origin_sibling_reads_total');
    // Whoever found it gone leaves it alone for a while.
    await eventually(async () => {
      await first.read(workers.usersOf(1, 3));
      expect((await workers.counter('origin_sibling_reads_total')) - siblingReads).toBe(3);
    });
    expect((await workers.counter('origin_sibling_failures_total')) - failures).toBeLessThanOrEqual(1);
  });

  test('is passed over while it hangs: its users come from the table', async () => {
    const workers = await runWorkers();
    const [first] = await workers.connectToEach();
    const users = workers.usersOf(1, 3);
    await writeLists(workers, users);
    const askedBefore = workers.keysAsked();
    const hanging = workers.pidOf(1);
    signal(hanging, 'SIGSTOP');
    const results = await first.read(users);
    expect(results.map(({ kind }) => kind)).toEqual(['list', 'list', 'list']);
    expect(workers.keysAsked() - askedBefore).toBe(3);
    expect(await workers.counter('origin_sibling_failures_total', first)).toBe(1);
    signal(hanging, 'SIGCONT');
    const more = workers.usersOf(1, 1);
    expect(await first.read(more)).toEqual([{ kind: 'absent' }]);
    expect(await workers.counter('origin_sibling_failures_total', first)).toBe(1);
  });
});

test('a caller who goes away takes along what another process reads for them', async () => {
  const workers = await runWorkers();
  const [first] = await workers.connectToEach();
  const users = workers.usersOf(1, 2);
  workers.server.setFault('asia', { blackHole: true });
  workers.server.resetCounters();
  await first.readUntil(users, () => eventually(() => expect(workers.server.counters('asia').calls.ReadRows).toBe(1)));
  // By the process that was asked, and by the one that asked the table.
  await eventually(async () => expect(await workers.counter('origin_cancelled_keys_total')).toBe(4));
  expect(await workers.counter('origin_sibling_failures_total')).toBe(0);
});

describe('the end', () => {
  test.each(['SIGTERM', 'SIGINT'] as const)(
    '%s drains all, and the exit code is 0 and the sockets are gone',
    async (name) => {
      const workers = await runWorkers();
      const { running, directory } = workers;
      await workers.connectToEach();
      expect(existsSync(directory)).toBe(true);
      const pids = workers.pids();
      expect(pids).toHaveLength(WORKERS);
      running.child.kill(name);
      expect(await running.exited).toBe(0);
      expect(running.output.stdout.match(/"msg":"drained"/g)).toHaveLength(WORKERS);
      expect(running.output.stderr).toBe('');
      expect(existsSync(directory)).toBe(false);
      for (const pid of pids) expect(existsSync(`/proc/${pid}`)).toBe(false);
    },
  );

  test('is reached also when one hangs: it is killed when its drain should be over, and the exit code is 1', async () => {
    const { running, directory, pidOf } = await runWorkers({ EARSHOT_DRAIN_TIMEOUT_MS: '500' });
    const hanging = pidOf(1);
    signal(hanging, 'SIGSTOP');
    running.child.kill('SIGTERM');
    expect(await running.exited).toBe(1);
    expect(running.output.stdout).toMatch(/"worker":1,"msg":"a worker hangs and did not end; it is killed"/);
    expect(running.output.stdout.match(/"msg":"drained"/g)).toHaveLength(WORKERS - 1);
    expect(existsSync(`/proc/${hanging}`)).toBe(false);
    expect(existsSync(directory)).toBe(false);
  });

  test('is reached also when no process is left to be waited for', async () => {
    const workers = await runWorkers();
    const { running, directory } = workers;
    for (const pid of workers.pids()) signal(pid, 'SIGKILL');
    const ends = () => running.output.stdout.match(/a worker ended/g);
    await eventually(() => expect(ends()).toHaveLength(WORKERS));
    running.child.kill('SIGTERM');
    expect(await running.exited).toBe(0);
    expect(existsSync(directory)).toBe(false);
  });
});

describe('a start', () => {
  test('on a port that is taken is one clear line and exit code 1', async () => {
    const { server } = await startInstance();
    const squatter = createServer().listen(0, '127.0.0.1');
    await once(squatter, 'listening');
    const { port } = squatter.address() as { port: number };
    try {
      const env = { ...workersEnvironment, PORT: String(port), BIGTABLE_EMULATOR_HOST: server.endpoint };
      // More processes than two, because of those that fail at the same time some may be ended before they have said
      // it.
      const { code, stderr } = await runNode(['origin/main.ts'], { ...env, WORKERS: '6' });
      expect(code).toBe(1);
      expect(linesOf(stderr)).toEqual([expect.stringMatching(`^earshot-origin: .*EADDRINUSE.*${port}`)]);
    } finally {
      squatter.close();
    }
  });

  test('with a wrong configuration ends with exit code 2 before any process is forked', async () => {
    const { code, stdout, stderr } = await runNode(['origin/main.ts'], { ...workersEnvironment, PORT: '99999' });
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    // Of two processes each would have said it.
    expect(linesOf(stderr)).toEqual(['earshot-origin: PORT: expected a whole number from 0 to 65535, got "99999"']);
  });
});
