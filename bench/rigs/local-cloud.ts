// A local cloud for tests and benchmarks: `dev/start.ts` in its own process, on free ports, with a temporary state
// directory.
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { COMPILE_CACHE } from '../../dev/compile-cache.ts';
import { METRICS_PORT_OFFSET, type Ports } from '../../dev/topology.ts';
import type { LocalCloud } from '../../ops/cli/settings.ts';
import { findFreePorts } from '../support/free-ports.ts';

const repository = join(import.meta.dirname, '../..');

export interface CommandResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface TestCloud {
  readonly ports: Ports;
  readonly edgeUrl: string;
  readonly stateDirectory: string;
  /** Output of `npm start -- --detach`. */
  readonly welcome: string;
  /** Runs the `earshot` command against the cloud. */
  earshot(...args: string[]): Promise<CommandResult>;
  mintToken(user: string, ...scopes: string[]): Promise<string>;
  /** The description that `npm start` wrote for the commands. */
  describe(): LocalCloud;
  /** Runs `npm stop` and removes the state directory. */
  stop(): Promise<CommandResult>;
}

/** Runs one call of the `earshot` command to its end. */
export type RunCommand = (args: readonly string[], env: Readonly<Record<string, string>>) => Promise<CommandResult>;

/** A cloud whose commands have processes of their own. */
export const startTestCloud = (...args: string[]): Promise<TestCloud> =>
  startTestCloudWith((command, env) => runNode(['ops/earshot.mjs', ...command], env), args);

/** `args`: of `npm start`. Throws an Error with the command's output if the cloud does not start. */
export async function startTestCloudWith(runCommand: RunCommand, args: readonly string[]): Promise<TestCloud> {
  const stateDirectory = mkdtempSync(join(tmpdir(), 'earshot-test-'));
  const ports = await findCloudPorts();
  const env = { EARSHOT_STATE_DIR: stateDirectory };
  const run = (script: string, ...more: string[]) => runNode([script, ...more], env);
  const started = await run('dev/start.ts', '--detach', ...portArgs(ports), ...args);
  if (started.code !== 0) {
    rmSync(stateDirectory, { recursive: true, force: true });
    throw new Error(`the local cloud did not start: ${started.stderr}`);
  }
  const earshot = (...more: string[]) => runCommand(more, env);
  return {
    ports,
    edgeUrl: `http://127.0.0.1:${ports.edge}`,
    stateDirectory,
    welcome: started.stdout,
    earshot,
    mintToken: async (user, ...scopes) => {
      const { stdout } = await earshot('token', '--user', user, ...scopes.flatMap((scope) => ['--scope', scope]));
      return stdout.trim();
    },
    describe: () => JSON.parse(readFileSync(join(stateDirectory, 'cloud.json'), 'utf8')) as LocalCloud,
    stop: async () => {
      const result = await run('dev/stop.ts');
      rmSync(stateDirectory, { recursive: true, force: true });
      return result;
    },
  };
}

export const portArgs = ({ edge, origins, bigtable }: Ports): string[] => [
  ...['--edge-port', String(edge), '--origin-port', String(origins), '--bigtable-port', String(bigtable)],
];

/** Runs `node args...` in `cwd`, without environment variables that name a Bigtable or a state directory. */
export async function runNode(
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
  cwd = repository,
): Promise<CommandResult> {
  try {
    const options = { cwd, env: { ...cleanEnvironment(), ...env }, maxBuffer: 64 * 1024 * 1024 };
    const { stdout, stderr } = await promisify(execFile)(process.execPath, [...args], options);
    return { code: 0, stdout, stderr };
  } catch (error) {
    const { code, stdout, stderr } = error as { code: number | string; stdout: string; stderr: string };
    if (typeof code !== 'number') throw error;
    return { code, stdout, stderr };
  }
}

/** A running `node args...` with its collected output. */
export const spawnNode = (args: readonly string[], env: Readonly<Record<string, string>> = {}, cwd = repository) =>
  spawnCommand(process.execPath, args, { cwd, env });

interface CommandPlace {
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** Whether it leads a process group of its own. */
  readonly detached?: boolean;
}

export type RunningCommand = ReturnType<typeof spawnCommand>;

/** A running command with its collected output. */
export function spawnCommand(command: string, args: readonly string[], place: CommandPlace = {}) {
  const { cwd = repository, env, detached = false } = place;
  const child = spawn(command, [...args], { cwd, env: { ...cleanEnvironment(), ...env }, detached });
  const output = { stdout: '', stderr: '' };
  child.stdout.on('data', (chunk) => {
    output.stdout += chunk;
  });
  child.stderr.on('data', (chunk) => {
    output.stderr += chunk;
  });
  return {
    child,
    output,
    /** Resolves when standard output contains `text`. Rejects if the process ends first. */
    printed: (text: string): Promise<void> =>
      new Promise((resolve, reject) => {
        const check = () => {
          if (output.stdout.includes(text)) resolve();
        };
        child.stdout.on('data', check);
        child.once('exit', () =>
          reject(new Error(`expected ${JSON.stringify(text)}, got ${output.stdout}${output.stderr}`)),
        );
        check();
      }),
    exited: once(child, 'exit').then(([code]) => code as number | null),
  };
}

export function cleanEnvironment(): Record<string, string | undefined> {
  const { BIGTABLE_EMULATOR_HOST, EARSHOT_PROJECT, EARSHOT_INSTANCE, EARSHOT_CLUSTERS, EARSHOT_STATE_DIR, ...rest } =
    process.env;
  // The tests start hundreds of processes with the same modules.
  return { NODE_COMPILE_CACHE: COMPILE_CACHE, ...rest };
}

/**
 * Free ports for one cloud: three consecutive ones for the origins, one for Bigtable, one for the worker. The ports
 * behind the first four are free, too.
 */
export async function findCloudPorts(): Promise<Ports> {
  const [origins = 0] = await findFreePorts(METRICS_PORT_OFFSET + 4);
  return { origins, bigtable: origins + 3, edge: origins + 4 };
}
