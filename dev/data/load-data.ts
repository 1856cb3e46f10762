// Loads and publishes a data directory through the `earshot` command, as in production.
import { readLines } from '../../ops/ingest/lines.ts';
import { parseListLine } from '../../ops/ingest/list-line.ts';
import { runEarshot } from '../../ops/program.ts';
import { formatGeneration } from '../../shared/domain/generation.ts';
import { POPULAR_USER } from '../../shared/domain/ids.ts';
import type { Backend } from '../backend.ts';
import type { DataDirectory } from './data-directory.ts';

/** All lists get the generation `nowMs`. Throws an Error if a list cannot be published. */
export async function loadData(backend: Backend, { lists, items }: DataDirectory, nowMs: number): Promise<void> {
  process.env.EARSHOT_PROJECT = backend.project;
  process.env.EARSHOT_INSTANCE = backend.instance;
  if (backend.emulatorHost !== undefined) process.env.BIGTABLE_EMULATOR_HOST = backend.emulatorHost;
  const clusters = Object.entries(backend.clusters).map(([region, cluster]) => `${region}=${cluster}`);
  const generation = formatGeneration(nowMs);
  await run('schema', 'apply', '--clusters', clusters.join(','));
  // `ingest` has reported rejected lines, and the load continues; `publish` refuses lists that were not loaded.
  if (items.length > 0) await runEarshot(['ingest', ...items, '--items']);
  for (const { path, surface, variant, weight } of lists) {
    const which = ['--surface', surface, '--variant', variant, '--generation', generation];
    await runEarshot(['ingest', path, ...which]);
    await run('publish', ...which, '--weight', String(weight));
  }
}

/** A user with a list, and the surface of the list. */
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
