// SIGTERM and SIGINT end the origin and the local cloud, whatever has started them: drained, with exit code 0, and no
// process is left. A shell without `exec` passes no signal on. So it gets its signal with its whole group, as from a
// terminal or from systemd, and has a trap that keeps it until its command has ended.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { findCloudPorts, portArgs, type RunningCommand, spawnCommand } from '../../bench/rigs/local-cloud.ts';
import type { EmbeddedBigtable } from '../../dev/bigtable/embedded-bigtable.ts';
import { startBigtable } from '../../dev/bigtable/server.ts';
import { NODE_ARGS } from '../../origin/node-args.ts';
import { ORIGIN_ENVIRONMENT } from '../contracts/origin/running-origin.ts';
import { findProcesses } from '../support/processes.ts';
import { eventuallySeldom } from '../support/waiting.ts';

let stateDirectory: string;
let bigtable: EmbeddedBigtable;
beforeEach(async () => {
  stateDirectory = mkdtempSync(join(tmpdir(), 'earshot-signals-'));
  bigtable = await startBigtable();
});
afterEach(async () => {
  // Processes of a failed test.
  for (const { pid } of findProcesses(stateDirectory)) process.kill(pid, 'SIGKILL');
  rmSync(stateDirectory, { recursive: true, force: true });
  await bigtable.close();
});

type Signal = 'SIGTERM' | 'SIGINT';

interface Starter {
  readonly start: (npm: readonly string[], node: readonly string[]) => readonly string[];
  readonly signal: (running: RunningCommand, signal: Signal) => void;
}

const toItself = ({ child }: RunningCommand, signal: Signal): void => {
  child.kill(signal);
};
const toGroup = ({ child }: RunningCommand, signal: Signal): void => {
  process.kill(-(child.pid ?? 0), signal);
};
/** `unshare` waits for process 1 of the namespace, its only child. */
const toChild = ({ child }: RunningCommand, signal: Signal): void => {
  const children = readFileSync(`/proc/${child.pid}/task/${child.pid}/children`, 'utf8');
  process.kill(Number(children.trim()), signal);
};
const asProcess1 = (command: readonly string[]): readonly string[] => {
  const asRoot = process.getuid?.() === 0 ? [] : ['--map-root-user'];
  return ['unshare', ...asRoot, '--pid', '--fork', '--mount-proc', '--kill-child', ...command];
};

const starters: Readonly<Record<string, Starter>> = {
  npm: { start: (npm) => npm, signal: toItself },
  'sh, its whole group': { start: (npm) => ['sh', '-c', `trap : TERM INT; ${npm.join(' ')}`], signal: toGroup },
  'sh with exec': { start: (npm) => ['sh', '-c', `exec ${npm.join(' ')}`], signal: toItself },
  'npm as process 1': { start: (npm) => asProcess1(npm), signal: toChild },
  'node as process 1': { start: (_npm, node) => asProcess1(node), signal: toChild },
};
const cases = Object.keys(starters).flatMap((starter) =>
  (['SIGTERM', 'SIGINT'] as const).map((signal) => ({ starter, signal })),
);

/** A local cloud starts in ten seconds: beside npm, each starter has one of the signals. */
const cloudCases = cases.filter(({ starter }, i) => starter === 'npm' || i % 4 === 1 || i % 4 === 2);

const find = (starter: string): Starter => {
  const found = starters[starter];
  if (found === undefined) throw new Error(`expected one of ${Object.keys(starters).join(', ')}, got ${starter}`);
  return found;
};

async function run(starter: string, signal: Signal, what: What): Promise<string> {
  const { start, signal: send } = find(starter);
  const [command = '', ...args] = start(what.npm, what.node);
  const env = { ...what.env, EARSHOT_STATE_DIR: stateDirectory };
  const running = spawnCommand(command, args, { env, detached: true });
  await running.printed(what.ready);
  send(running, signal);
  expect(await running.exited, running.output.stderr).toBe(0);
  await eventuallySeldom(() => expect(findProcesses(stateDirectory)).toEqual([]));
  return running.output.stdout;
}

interface What {
  readonly npm: readonly string[];
  readonly node: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly ready: string;
}

test.each(cases)('an origin that $starter has started is drained by $signal', async ({ starter, signal }) => {
  const output = await run(starter, signal, {
    npm: ['npm', 'run', '--silent', 'origin'],
    node: [process.execPath, ...NODE_ARGS, 'origin/start.mjs'],
    env: { ...ORIGIN_ENVIRONMENT, EARSHOT_DRAIN_DELAY_MS: '200', BIGTABLE_EMULATOR_HOST: bigtable.endpoint },
    ready: '"msg":"listening"',
  });
  expect(output).toContain('"msg":"drained"');
});

test.each(cloudCases)('a local cloud that $starter has started is ended by $signal', async ({ starter, signal }) => {
  // One list: a start without the sample is faster.
  writeFileSync(join(stateDirectory, 'home.control.ndjson'), '{"user":"u","items":[{"id":"i","score":1}]}\n');
  const ports = [...portArgs(await findCloudPorts()), '--data', stateDirectory];
  await run(starter, signal, {
    npm: ['npm', 'start', '--silent', '--', ...ports],
    node: [process.execPath, 'dev/start.ts', ...ports],
    env: {},
    ready: 'Ctrl-C ends it.',
  });
  for (const region of ['asia', 'europe', 'us']) {
    expect(readFileSync(join(stateDirectory, `logs/origin-${region}.log`), 'utf8')).toContain('"msg":"drained"');
  }
});
