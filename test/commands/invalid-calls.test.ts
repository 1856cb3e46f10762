// Calls of the `earshot` command that end before they change anything: bad usage, help, a Bigtable that cannot be
// reached. They run in this process, because the start of a process is most of such a call.
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { MONDAY } from '../contracts/origin/instance.ts';
import { runInProcess } from '../support/earshot/command-in-process.ts';
import { makeRandomSecret } from '../support/random-secret.ts';
import usage from './earshot-usage.json' with { type: 'json' };
import { createCommandInstances, home, lines, messageOf, releaseOf } from './support/command-instances.ts';

const { root, startServer, makeLiveInstance } = createCommandInstances();
let instance: Awaited<ReturnType<typeof makeLiveInstance>>;

beforeAll(async () => {
  instance = await makeLiveInstance(await startServer());
});

/** Commands with different first calls to Bigtable; FILE is a file with one line. */
const asking: readonly [what: string, args: readonly string[]][] = [
  ['manifest show', ['manifest', 'show']],
  ['publish', ['publish', releaseOf(MONDAY)]],
  ['rollback', ['rollback', 'home/control', '--why', 'test']],
  ['releases', ['releases']],
  ['release show', ['release', 'show', releaseOf(MONDAY)]],
  ['release block', ['release', 'block', releaseOf(MONDAY), '--why', 'test']],
  ['release adopt', ['release', 'adopt', 'home/control', '--generation', String(MONDAY), '--expect-lists', '1']],
  ['history', ['history', 'home']],
  ['ramp finish', ['ramp', 'finish', 'home/control']],
  ['weight', ['weight', 'home', 'control=1']],
  ['variant remove', ['variant', 'remove', 'home/knn']],
  ['surface remove', ['surface', 'remove', 'home']],
  ['surface set', ['surface', 'set', 'home', 'users=1']],
  ['check', ['check', 'home/control@2024-01-01']],
  ['manifest history', ['manifest', 'history']],
  ['manifest restore', ['manifest', 'restore', '1', '--why', 'test']],
  ['erase', ['erase', 'u:1', '--why', 'test']],
  ['erase --resume', ['erase', '--resume']],
  ['erasures', ['erasures', 'list']],
  ['keep-out', ['keep-out', 'list']],
  ['block', ['block', 'item', 'artist:1', '--why', 'test']],
  ['unblock', ['unblock', 'item', 'artist:1']],
  ['blocked', ['blocked', 'list']],
  ['switch set', ['switch', 'set', 'hedging=off', '--why', 'test']],
  ['switch list', ['switch', 'list']],
  ['schema apply', ['schema', 'apply', '--clusters', 'asia=asia']],
  ['schema check', ['schema', 'check', '--clusters', 'asia=asia']],
  ['ingest', ['ingest', 'FILE', ...home()]],
  ['ingest of items', ['ingest', 'FILE', '--items']],
];

describe('a Bigtable that cannot be reached', () => {
  const run = (args: readonly string[], bigtable: Readonly<Record<string, string>>) => {
    const { env, file } = instance;
    const { BIGTABLE_EMULATOR_HOST, ...more } = env;
    const rest = { ...more, EARSHOT_RETRY_MS: '0', EARSHOT_HASH_KEY: makeRandomSecret() };
    const path = file('lists.ndjson', '{"id":"artist:1"}\n');
    return runInProcess(
      args.map((arg) => (arg === 'FILE' ? path : arg)),
      { ...rest, ...bigtable },
    );
  };

  test.each(asking)('is one message and exit code 1 for %s', async (_what, args) => {
    const result = await run(args, { BIGTABLE_EMULATOR_HOST: '127.0.0.1:1' });
    expect(messageOf(result)).toEqual({
      code: 1,
      message: expect.stringMatching(/failed: .*ECONNREFUSED 127\.0\.0\.1:1/),
    });
    expect(result.stderr).not.toContain('Previous errors');
    expect(result.stdout).toBe('');
  });

  test.each(asking)('for want of credentials is one message and exit code 1 for %s', async (_what, args) => {
    const credentials = join(root, 'no-credentials.json');
    const result = await run(args, { GOOGLE_APPLICATION_CREDENTIALS: credentials });
    expect(messageOf(result)).toEqual({
      code: 1,
      message: expect.stringMatching(`no client of Bigtable: .*${credentials} does not exist`),
    });
    expect(result.stdout).toBe('');
  });
});

test('every command explains itself, and every one that does something has an example', async () => {
  const explained: string[] = [];
  const explain = async (...path: string[]): Promise<void> => {
    const { code, stdout, stderr } = await runInProcess([...path, '--help']);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toContain(`Usage: ${['earshot', ...path].join(' ')} `);
    const [, commands = ''] = stdout.split('\nCommands:\n');
    const names = [...commands.matchAll(/^ {2}([a-z-]+)/gm)].flatMap(([, name]) =>
      name === 'help' ? [] : (name ?? []),
    );
    if (names.length === 0) {
      explained.push(path.join(' '));
      expect(stdout, path.join(' ')).toMatch(/\$ .*earshot /);
    }
    for (const name of names) await explain(...path, name);
  };
  await explain();
  expect(explained).toEqual(
    expect.arrayContaining([
      'schema apply',
      'schema check',
      'ingest',
      'publish',
      'manifest show',
      'token',
      'status',
      'fault',
    ]),
  );
});

describe('an invalid call', () => {
  test.each(usage)('`$call` is one message and exit code 2, and nothing is changed', async ({ call, message }) => {
    const { env, file, live, receipt } = instance;
    const before = await live();
    const path = file('lists.ndjson', lines(1, 1));
    const result = await runInProcess(
      call.split(' ').map((arg) => (arg === 'FILE' ? path : arg)),
      env,
    );
    expect(messageOf(result)).toEqual({ code: 2, message: expect.stringContaining(message) });
    expect(result.stdout).toBe('');
    expect(await live()).toEqual(before);
    expect(await receipt(MONDAY)).toMatchObject({ state: 'loaded' });
  });

  test.each([
    ['nothing', {}, []],
    ['a project alone', { EARSHOT_PROJECT: 'e2e' }, []],
    ['an instance alone', {}, ['--instance', 'recs']],
  ])(
    'with %s to say which instance is meant, it says what to give',
    async (_what, env: Record<string, string>, args) => {
      const result = await runInProcess([...args, 'manifest', 'show'], {
        ...env,
        EARSHOT_STATE_DIR: join(root, 'none'),
      });
      expect(messageOf(result)).toEqual({
        code: 2,
        message: expect.stringMatching(/no Bigtable instance: pass --project and --instance/),
      });
    },
  );

  test('a secret that is too short is refused and not repeated', async () => {
    const env = { EARSHOT_TOKEN_SECRET: 'too-short-a-secret', EARSHOT_STATE_DIR: join(root, 'none') };
    const result = await runInProcess(['token', '--user', 'u:1'], env);
    expect(messageOf(result)).toEqual({ code: 2, message: expect.stringContaining('at least 32 bytes, got 18') });
    expect(result.stdout + result.stderr).not.toContain('too-short-a-secret');
  });
});
