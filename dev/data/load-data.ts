// Loads and publishes a data directory through the `earshot` command, as in production. The output of the command
// goes into a file.
import { closeSync, readFileSync, writeSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import { makeDirectory, openPrivate } from '../../ops/cli/state-file.ts';
import { readLines } from '../../ops/ingest/formats/open-lines.ts';
import { findInputs } from '../../ops/ingest/inputs/find-inputs.ts';
import { parseListLine } from '../../ops/ingest/line/list-line.ts';
import { runEarshot } from '../../ops/program.ts';
import { formatGeneration } from '../../shared/domain/generation.ts';
import { POPULAR_USER } from '../../shared/domain/ids.ts';
import type { Backend } from '../backend.ts';
import type { DataDirectory } from './data-directory.ts';

interface LoadOptions {
  /** All lists get this generation. */
  readonly nowMs: number;
  readonly logFile: string;
  readonly onStep: (step: string) => void;
}

/** Throws an Error with the command's message if a list cannot be published. */
export async function loadData(
  backend: Backend,
  { lists, items }: DataDirectory,
  { nowMs, logFile, onStep }: LoadOptions,
): Promise<void> {
  const clusters = Object.entries(backend.clusters).map(([region, cluster]) => `${region}=${cluster}`);
  const generation = formatGeneration(nowMs);
  const where = ['--project', backend.project, '--instance', backend.instance];
  if (backend.emulatorHost !== undefined) process.env.BIGTABLE_EMULATOR_HOST = backend.emulatorHost;
  // A Bigtable on this machine that does not answer for so long will not answer.
  process.env.EARSHOT_RETRY_MS ??= '5000';
  makeDirectory(dirname(logFile));
  const log = openPrivate(logFile, 'w');
  const earshot = async (...args: string[]): Promise<boolean> => {
    writeSync(log, `$ earshot ${args.join(' ')}\n`);
    return (await printingTo(log, () => runEarshot([...where, ...args]))) === 0;
  };
  const must = async (...args: string[]): Promise<void> => {
    if (!(await earshot(...args))) throw new Error(`\`earshot ${args.join(' ')}\` failed: ${reasonsIn(logFile)}`);
  };
  try {
    onStep('creating the tables');
    await must('schema', 'apply', '--clusters', clusters.join(','));
    // `ingest` has reported rejected lines, and the load continues; `publish` refuses lists that were not loaded.
    if (items.length > 0) onStep('loading items');
    if (items.length > 0) {
      await earshot('ingest', ...items, '--items', '--generation', generation);
      await must('publish', `items@${generation}`);
    }
    for (const { path, surface, variant, weight } of lists) {
      onStep(`loading ${basename(path)}`);
      const which = ['--surface', surface, '--variant', variant, '--generation', generation];
      await earshot('ingest', path, ...which);
      await must('publish', `${surface}/${variant}@${generation}`, '--weight', String(weight));
    }
  } finally {
    closeSync(log);
  }
}

/** Runs `work` with both outputs of this process in the file. */
async function printingTo<T>(file: number, work: () => Promise<T>): Promise<T> {
  const outputs = [process.stdout, process.stderr].map((stream) => ({ stream, write: stream.write }));
  const write = (chunk: string | Uint8Array): boolean => {
    writeSync(file, Buffer.from(chunk));
    return true;
  };
  for (const { stream } of outputs) stream.write = write;
  try {
    return await work();
  } finally {
    for (const output of outputs) output.stream.write = output.write;
  }
}

/** The lines of the last two commands, in one line. */
function reasonsIn(logFile: string): string {
  const commands = readFileSync(logFile, 'utf8')
    .split(/^\$ .*\n/m)
    .slice(-2);
  const lines = commands
    .join('')
    .split('\n')
    .filter((line) => line.trim() !== '');
  return `${lines.slice(-5).join('; ')} (${logFile})`;
}

/** A user with a list, and the surface of the list. */
export async function findListener({ lists }: DataDirectory): Promise<{ user: string; surface: string } | undefined> {
  for (const { path, surface } of lists) {
    for (const source of await findInputs([path])) {
      for await (const lines of readLines(source, undefined, () => undefined)) {
        const user = lines
          .map(({ text }) => parseUser(text))
          .find((name) => name !== undefined && name !== POPULAR_USER);
        if (user !== undefined) return { user, surface };
      }
    }
  }
  return undefined;
}

function parseUser(text: string): string | undefined {
  try {
    return parseListLine(text).user;
  } catch {
    return undefined;
  }
}
