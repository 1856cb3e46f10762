// `npm start` and `npm stop`: the printed commands work, all processes end, and errors are one line.
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { getPriority, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { findCloudPorts, portArgs, runNode, spawnNode } from '../../bench/rigs/local-cloud.ts';
import { startTestCloud } from '../support/earshot/test-cloud.ts';
import { findProcesses } from '../support/processes.ts';
import { eventuallySeldom } from '../support/waiting.ts';

let stateDirectory: string;
beforeEach(() => {
  stateDirectory = mkdtempSync(join(tmpdir(), 'earshot-test-'));
});
afterEach(() => {
  // Processes of a failed test.
  for (const { pid } of findProcesses(stateDirectory)) process.kill(pid, 'SIGKILL');
  rmSync(stateDirectory, { recursive: true, force: true });
});

const environment = () => ({ EARSHOT_STATE_DIR: stateDirectory });

describe('npm start', () => {
  test('prints a call that works, serves the sample, and leaves no process after it is stopped', async () => {
    const cloud = await startTestCloud();
    try {
      // Without a terminal, the steps of the start stand before the welcome.
      const lines = cloud.welcome.slice(cloud.welcome.indexOf('\nEarshot is ready.')).split('\n');
      expect(lines.length).toBeLessThanOrEqual(28);
      expect(lines.filter((line) => line.length > 110)).toEqual([]);
      const [, user = '', url = ''] = /earshot token --user (\S+)\)" \\\n +"(\S+)"/.exec(cloud.welcome) ?? [];
      const token = await cloud.mintToken(user);
      const response = await fetch(url, { headers: { Authorization: `Bearer ${token}` } });
      expect(response.status).toBe(200);
      const body = (await response.json()) as { user: string; source: string; items: unknown[] };
      expect(body).toMatchObject({ user: 'listener:1', source: 'personal' });
      expect(body.items).toHaveLength(5);
      expect((await cloud.earshot('manifest', 'show')).stdout).toMatch(
        /home, .*\n {2}control {3}90\.0 %.*\n {2}knn {7}10\.0 %/,
      );
      expect(await runNode(['dev/start.ts'], { EARSHOT_STATE_DIR: cloud.stateDirectory })).toMatchObject({
        code: 1,
        stderr: expect.stringMatching(
          /^npm start: a local cloud is already running \(process \d+\): stop it with `npm stop`\n$/,
        ),
      });
      const processes = findProcesses(cloud.stateDirectory);
      expect(processes.length).toBeGreaterThanOrEqual(6);
      // A load lowers the priority of its own process only.
      expect(processes.filter(({ pid }) => getPriority(pid) !== getPriority())).toEqual([]);
      const secrets = JSON.parse(readFileSync(join(cloud.stateDirectory, 'secrets.json'), 'utf8')) as Record<
        string,
        string
      >;
      for (const secret of Object.values(secrets)) {
        expect(processes.filter(({ command }) => command.includes(secret))).toEqual([]);
      }
    } finally {
      expect(await cloud.stop()).toMatchObject({ code: 0, stdout: 'Stopped.\n' });
    }
    expect(findProcesses(cloud.stateDirectory)).toEqual([]);
  });

  test('ends every process at Ctrl-C while it is still starting', async () => {
    const ports = await findCloudPorts();
    const started = spawnNode(['dev/start.ts', ...portArgs(ports)], environment());
    await started.printed('creating the tables');
    started.child.kill('SIGINT');
    expect(await started.exited).toBe(0);
    expect(findProcesses(stateDirectory)).toEqual([]);
  });

  test('ends every process when its standard output is closed', async () => {
    const ports = await findCloudPorts();
    const started = spawnNode(['dev/start.ts', ...portArgs(ports)], environment());
    await started.printed('creating the tables');
    started.child.stdout.destroy();
    expect(await started.exited).toBe(0);
    expect(findProcesses(stateDirectory)).toEqual([]);
  });

  test('leaves nothing behind when it is detached and the waiting parent is killed', async () => {
    const ports = await findCloudPorts();
    const started = spawnNode(['dev/start.ts', '--detach', ...portArgs(ports)], environment());
    await eventuallySeldom(() => expect(findProcesses(stateDirectory).length).toBeGreaterThan(2));
    started.child.kill('SIGKILL');
    await started.exited;
    await eventuallySeldom(() => expect(findProcesses(stateDirectory)).toEqual([]));
  });

  test('names the port in use and its purpose', async () => {
    const ports = await findCloudPorts();
    const squatter = createServer().listen(ports.origins + 1, '127.0.0.1');
    await once(squatter, 'listening');
    try {
      const { code, stderr } = await runNode(['dev/start.ts', ...portArgs(ports)], environment());
      expect(code).toBe(1);
      expect(stderr).toMatch(
        new RegExp(
          `^npm start: port ${ports.origins + 1} \\(the region proxy of europe, --origin-port\\) is in use.*EADDRINUSE.*\\n$`,
        ),
      );
      expect(findProcesses(stateDirectory)).toEqual([]);
    } finally {
      squatter.close();
    }
  });

  test.each<[name: string, args: (directory: string) => string[], code: number, line: RegExp]>([
    ['a missing directory', (d) => ['--data', join(d, 'none')], 1, /expected --data to be a directory .*ENOENT/],
    ['a directory without lists', (d) => ['--data', d], 1, /expected .* to hold files named surface\.variant\.ndjson/],
    ['an unknown option', () => ['--nope'], 2, /unknown option '--nope'/],
    ['an invalid port', () => ['--edge-port', '99999'], 2, /expected a port from 1 to 65513/],
  ])('refuses %s with one line on stderr', async (_case, args, code, line) => {
    const result = await runNode(['dev/start.ts', ...args(stateDirectory)], environment());
    expect(result.code).toBe(code);
    expect(result.stderr).toMatch(line);
    expect(result.stderr.trim().split('\n')).toHaveLength(1);
    expect(findProcesses(stateDirectory)).toEqual([]);
  });

  test('exits with code 1 if a detached start fails', async () => {
    const data = join(stateDirectory, 'data');
    const result = await runNode(['dev/start.ts', '--detach', '--data', data], environment());
    expect(result).toMatchObject({ code: 1, stderr: expect.stringContaining('expected --data to be a directory') });
  });

  test('refuses a file without a valid line, and names the line', async () => {
    const ports = await findCloudPorts();
    writeFileSync(join(stateDirectory, 'home.control.ndjson'), 'not a list\n');
    const { code, stderr } = await runNode(
      ['dev/start.ts', ...portArgs(ports), '--data', stateDirectory],
      environment(),
    );
    expect(code).toBe(1);
    expect(stderr).toContain('home.control.ndjson:1: expected one JSON object, got not a list');
    expect(findProcesses(stateDirectory)).toEqual([]);
  });
});

test('without its launcher the cloud ends by itself, and npm start works again', async () => {
  const ports = await findCloudPorts();
  const started = spawnNode(['dev/start.ts', ...portArgs(ports)], environment());
  await started.printed('Ctrl-C ends it.');
  started.child.kill('SIGKILL');
  await started.exited;
  await eventuallySeldom(() => expect(findProcesses(stateDirectory)).toEqual([]));
  expect(readdirSync(stateDirectory)).not.toContain('processes.json');
  expect(await runNode(['dev/stop.ts'], environment())).toMatchObject({ code: 0, stdout: 'Nothing is running.\n' });
});

test('npm stop ends what a killed launcher and a killed guard have left, and npm start reports it', async () => {
  const ports = await findCloudPorts();
  const started = spawnNode(['dev/start.ts', ...portArgs(ports)], environment());
  await started.printed('Ctrl-C ends it.');
  const guard = findProcesses(stateDirectory).find(({ command }) => command.includes('guard.ts'));
  started.child.kill('SIGSTOP');
  process.kill(guard?.pid ?? 0, 'SIGKILL');
  started.child.kill('SIGKILL');
  await started.exited;
  expect(await runNode(['dev/start.ts'], environment())).toMatchObject({
    code: 1,
    stderr: expect.stringMatching(
      /^npm start: processes of an earlier start still run \([\d, ]+\): stop them with `npm stop`\n$/,
    ),
  });
  expect(await runNode(['dev/stop.ts'], environment())).toMatchObject({ code: 0, stdout: 'Stopped.\n' });
  expect(findProcesses(stateDirectory)).toEqual([]);
});

test('npm stop does not end another process with the number of an ended one', async () => {
  const stranger = spawnNode(['-e', 'console.log("here"); setInterval(() => {}, 1000)']);
  await stranger.printed('here');
  const process_ = { pid: stranger.child.pid, startedAt: 'another time' };
  writeFileSync(join(stateDirectory, 'processes.json'), JSON.stringify({ launcher: process_, children: [process_] }));
  expect((await runNode(['dev/stop.ts'], environment())).stdout).toBe('Nothing is running.\n');
  expect(stranger.child.exitCode).toBeNull();
  expect(findProcesses('here')).not.toEqual([]);
  stranger.child.kill();
});

test('npm stop reports when nothing is running', async () => {
  expect(await runNode(['dev/stop.ts'], environment())).toEqual({
    code: 0,
    stdout: 'Nothing is running.\n',
    stderr: '',
  });
});
