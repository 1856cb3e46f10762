// Loads and publishes a directory of data with the same command that ops use, so that what is tried here is what runs
// there.

import { readLines } from '../../ops/ingest/lines.ts';
import { parseListLine } from '../../ops/ingest/list-line.ts';
import { runEarshot } from '../../ops/program.ts';
import { formatGeneration } from '../../shared/domain/generation.ts';
import { POPULAR_USER } from '../../shared/domain/ids.ts';
import type { Backend } from '../backend.ts';
import type { DataDirectory } from './data-directory.ts';

/** All lists get the generation `nowMs`. Throws an Error when anything could not be published. */
export async function loadData(backend: Backend, { lists, items }: DataDirectory, nowMs: number): Promise<void> {
  process.env.EARSHOT_PROJECT = backend.project;
  process.env.EARSHOT_INSTANCE = backend.instance;
  if (backend.emulatorHost !== undefined) process.env.BIGTABLE_EMULATOR_HOST = backend.emulatorHost;
  const clusters = Object.entries(backend.clusters).map(([region, cluster]) => `${region}=${cluster}`);
  const generation = formatGeneration(nowMs);
  await run('schema', 'apply', '--clusters', clusters.join(','));
  // Rejected lines have been told of and are no reason to stop; publishing refuses what was not loaded.
  if (items.length > 0) await runEarshot(['ingest', ...items, '--items']);
  for (const { path, surface, variant, weight } of lists) {
    const which = ['--surface', surface, '--variant', variant, '--generation', generation];
    await runEarshot(['ingest', path, ...which]);
    await run('publish', ...which, '--weight', String(weight));
  }
}

/** A listener who has a list, and the surface that it is on. */
export async function findListener({ lists }: DataDirectory): Promise<{ user: string; surface: string } | undefined> {
  for (const { path, surface } of lists) {
    for await (const lines of readLines(path, () => undefined)) {
      const user = lines.map(({ text }) => parseUser(text)).find((name) => name !== undefined && name !== POPULAR_USER);
      if (user !== undefined) return { user, surface };
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

async function run(...args: string[]): Promise<void> {
  if ((await runEarshot(args)) !== 0) throw new Error(`\`earshot ${args.join(' ')}\` failed`);
}
