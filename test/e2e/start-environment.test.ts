// `npm start`, `npm stop` and `earshot` in surroundings that differ: proxies, credentials, a real instance of another
// terminal, and a state directory with broken files. A refusal is one line.
import { generateKeyPairSync } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type CommandResult, findCloudPorts, portArgs, runNode } from '../../bench/rigs/local-cloud.ts';
import { runInProcess } from '../support/earshot/command-in-process.ts';
import { findProcesses } from '../support/processes.ts';

let root: string;
let stateDirectory: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'earshot-test-'));
  stateDirectory = join(root, 'state');
  mkdirSync(stateDirectory);
});
afterEach(() => {
  // Processes of a failed test.
  for (const { pid } of findProcesses(root)) process.kill(pid, 'SIGKILL');
  rmSync(root, { recursive: true, force: true });
});

const start = async (env: Record<string, string> = {}, ...args: string[]): Promise<CommandResult> =>
  runNode(['dev/start.ts', '--detach', ...portArgs(await findCloudPorts()), ...args], {
    EARSHOT_STATE_DIR: stateDirectory,
    ...env,
  });
const stop = (directory = stateDirectory) => runNode(['dev/stop.ts'], { EARSHOT_STATE_DIR: directory });
const earshot = (env: Record<string, string>, ...args: string[]) =>
  runInProcess(args, { EARSHOT_STATE_DIR: stateDirectory, ...env });
/** In a process of its own, for what Node reads of its environment at its start. */
const earshotAlone = (env: Record<string, string>, ...args: string[]) =>
  runNode(['ops/earshot.mjs', ...args], { EARSHOT_STATE_DIR: stateDirectory, ...env });

/** Nothing listens there. */
const PROXY = 'http://127.0.0.1:9';
const PROXIES = { http_proxy: PROXY, https_proxy: PROXY, HTTP_PROXY: PROXY, HTTPS_PROXY: PROXY, grpc_proxy: PROXY };
const NO_CREDENTIALS = { GOOGLE_APPLICATION_CREDENTIALS: '/nowhere/credentials.json', HOME: '/nowhere' };

test('proxies, missing credentials and a real instance in the environment do not matter to the local cloud', async () => {
  const real = { EARSHOT_PROJECT: 'real-project', EARSHOT_INSTANCE: 'real-instance' };
  const started = await start({ ...PROXIES, ...NO_CREDENTIALS, ...real, NODE_USE_ENV_PROXY: '1' });
  try {
    expect(started).toMatchObject({ code: 0, stderr: '' });
    expect(started.stdout).toContain('EARSHOT_PROJECT and EARSHOT_INSTANCE set and not used');
    const local = { ...PROXIES, ...NO_CREDENTIALS, NODE_USE_ENV_PROXY: '1' };
    const shown = await earshotAlone(local, 'manifest', 'show');
    expect(shown).toMatchObject({ code: 0, stdout: expect.stringContaining('home, salt home-1') });
    const status = await earshotAlone(local, 'status');
    expect(status).toMatchObject({ code: 0, stdout: expect.stringMatching(/\neurope +ok /) });
  } finally {
    await stop();
  }
});

test.each<[name: string, env: Record<string, string>, args: string[], line: RegExp]>([
  [
    'a real instance without credentials',
    NO_CREDENTIALS,
    ['--real', 'real-project/real-instance'],
    /cannot use real-project\/real-instance of --real: .*credentials\.json/,
  ],
  [
    'a real instance beside an emulator',
    { BIGTABLE_EMULATOR_HOST: '127.0.0.1:8086' },
    ['--real', 'real-project/real-instance'],
    /expected --real without BIGTABLE_EMULATOR_HOST, got "127\.0\.0\.1:8086"/,
  ],
  ['a real instance without a name', {}, ['--real', 'real-project'], /expected PROJECT\/INSTANCE/],
  [
    'a URL as the host of an emulator',
    { BIGTABLE_EMULATOR_HOST: 'http://127.0.0.1:8086' },
    [],
    /expected BIGTABLE_EMULATOR_HOST to be host:port, got "http:\/\/127\.0\.0\.1:8086"/,
  ],
])('npm start refuses %s', async (_name, env, args, line) => {
  const { code, stderr } = await start(env, ...args);
  expect(code).not.toBe(0);
  expect(stderr).toMatch(new RegExp(`^npm start: .*${line.source}.*\\n$`));
  expect(findProcesses(stateDirectory)).toEqual([]);
});

test('earshot refuses a URL as the host of an emulator', async () => {
  const env = { BIGTABLE_EMULATOR_HOST: 'http://127.0.0.1:8086' };
  const { code, stderr } = await earshot(env, '--project', 'p', '--instance', 'i', 'manifest', 'show');
  expect(code).toBe(1);
  expect(stderr).toBe('earshot: expected BIGTABLE_EMULATOR_HOST to be host:port, got "http://127.0.0.1:8086"\n');
});

test('npm start says within seconds that an emulator does not answer', async () => {
  const { code, stderr } = await start({ BIGTABLE_EMULATOR_HOST: '127.0.0.1:1' });
  expect(code).toBe(1);
  expect(stderr).toMatch(
    /^npm start: `earshot .*schema apply .*` failed: .*ECONNREFUSED 127\.0\.0\.1:1.*load\.log\)\n$/,
  );
  expect(findProcesses(stateDirectory)).toEqual([]);
});

test('earshot names the proxy through which Cloud Bigtable does not answer, without its password', async () => {
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const credentials = join(root, 'credentials.json');
  writeFileSync(
    credentials,
    JSON.stringify({
      type: 'service_account',
      project_id: 'some-project',
      private_key: privateKey.export({ type: 'pkcs8', format: 'pem' }),
      client_email: 'loader@some-project.iam.gserviceaccount.com',
    }),
  );
  const env = {
    GOOGLE_APPLICATION_CREDENTIALS: credentials,
    https_proxy: 'http://user:password@127.0.0.1:9',
    EARSHOT_RETRY_MS: '0',
  };
  const { code, stderr } = await earshotAlone(env, '--project', 'p', '--instance', 'i', 'manifest', 'show');
  expect(code).toBe(1);
  expect(stderr).toMatch(/\(through the proxy of https_proxy http:\/\/127\.0\.0\.1:9\)\n$/);
  expect(stderr).not.toContain('password');
});

describe('a state directory', () => {
  const broken: [name: string, make: (path: string) => void][] = [
    ['empty', (path) => writeFileSync(path, '')],
    ['cut', (path) => writeFileSync(path, '{"launcher":{"pid":1')],
    ['of another form', (path) => writeFileSync(path, '[]')],
    ['a directory', (path) => mkdirSync(path)],
  ];
  const refused = ({ code, stdout, stderr }: CommandResult, path: string): void => {
    expect(code).toBe(1);
    // Without a terminal, a start prints a line for each step that it began.
    expect(stdout).toMatch(/^(starting Bigtable\n)?$/);
    expect(stderr.trimEnd().split('\n')).toHaveLength(1);
    expect(stderr).toContain(path);
  };

  test.each(broken)('is refused in one line with a processes.json that is %s', async (_name, make) => {
    const path = join(stateDirectory, 'processes.json');
    make(path);
    refused(await start(), path);
    refused(await stop(), path);
  });

  test.each(broken)('is refused in one line with a secrets.json that is %s', async (_name, make) => {
    const path = join(stateDirectory, 'secrets.json');
    make(path);
    refused(await start(), path);
  });

  test.each(broken)('is refused by earshot in one line with a cloud.json that is %s', async (_name, make) => {
    const path = join(stateDirectory, 'cloud.json');
    make(path);
    for (const args of [['status'], ['fault'], ['manifest', 'show'], ['token', '--user', 'u']]) {
      refused(await earshot({}, ...args), path);
    }
  });

  test.each(['cloud.json', 'edge.env', 'bigtable.journal', 'start.log'])(
    'is refused in one line with a directory in the place of %s',
    async (name) => {
      mkdirSync(join(stateDirectory, name));
      refused(await start(), join(stateDirectory, name));
      expect(findProcesses(stateDirectory)).toEqual([]);
    },
  );

  test.each(['sample', 'logs'])('is refused in one line with a file in the place of %s', async (name) => {
    writeFileSync(join(stateDirectory, name), '');
    refused(await start(), join(stateDirectory, name));
    expect(findProcesses(stateDirectory)).toEqual([]);
  });

  test.each(['/proc/earshot', '/sys/earshot', '/dev/null', '/dev/null/earshot'])(
    'that is %s is refused in one line',
    async (path) => {
      const env = { EARSHOT_STATE_DIR: path };
      refused(await start(env), '');
      const stopped = await runNode(['dev/stop.ts'], env);
      expect(stopped.stderr.split('\n').length).toBeLessThanOrEqual(2);
      refused(await earshot(env, 'token', '--user', 'u').then((r) => ({ ...r, code: 1 })), '');
    },
  );
});
