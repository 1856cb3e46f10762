// Child processes for measured code, so that its memory and CPU are its own.
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { ClusterState } from '../../dev/bigtable/embedded-bigtable.ts';
import { LOCAL_INSTANCE, LOCAL_PROJECT } from '../../dev/topology.ts';
import { NODE_ARGS } from '../../origin/node-args.ts';

export interface BenchBigtable {
  /** Environment for processes that use this Bigtable. */
  readonly env: Readonly<Record<string, string>>;
  readonly controlUrl: string;
  /** Rows written by clients in all clusters since the start. */
  rowsWritten(): Promise<number>;
  /** Ends the process if it still runs. */
  stop(): Promise<void>;
}

/** Starts an embedded Bigtable on free ports. `nodeArgs`: arguments of Node, in addition to those of an origin. */
export async function startBigtable(nodeArgs: readonly string[] = []): Promise<BenchBigtable> {
  const entry = join(import.meta.dirname, '../../dev/bigtable/main.ts');
  const child = spawn(process.execPath, [...NODE_ARGS, ...nodeArgs, entry, '--port', '0', '--control-port', '0'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const exited = once(child, 'exit');
  const [line] = (await once(child.stdout, 'data')) as [Buffer];
  const [, emulatorHost = '', controlUrl = ''] = /listening on (\S+), control on (\S+)/.exec(line.toString()) ?? [];
  if (controlUrl === '') throw new Error(`expected Bigtable to say where it listens, got ${line.toString()}`);
  return {
    env: { BIGTABLE_EMULATOR_HOST: emulatorHost, EARSHOT_PROJECT: LOCAL_PROJECT, EARSHOT_INSTANCE: LOCAL_INSTANCE },
    controlUrl,
    rowsWritten: async () => {
      const { clusters } = (await (await fetch(`${controlUrl}/clusters`)).json()) as { clusters: ClusterState[] };
      return clusters.reduce((sum, { counters }) => sum + counters.rowsWritten, 0);
    },
    stop: async () => {
      child.kill('SIGTERM');
      await exited;
    },
  };
}

export interface Run {
  /** From before the start of the process until its end. */
  readonly durationMs: number;
  /** Lines of its standard output. */
  readonly lines: readonly string[];
}

/** Runs a command to its end. Throws an Error if it fails. */
export async function run(file: string, args: readonly string[], env: Readonly<Record<string, string>>): Promise<Run> {
  const startedAtMs = performance.now();
  const { stdout } = await promisify(execFile)(file, [...args], { env: { ...process.env, ...env } });
  return { durationMs: performance.now() - startedAtMs, lines: stdout.trim().split('\n') };
}

/** The JSON in the last line of a run's output. */
export const lastJson = <T>({ lines }: Run): T => JSON.parse(lines.at(-1) ?? '') as T;
