// Two builds of Earshot side by side: this one, and the one that deploy/previous names, in a worktree of its own. A
// Durable Object can run another build than the worker that calls it, so a worker is bundled from two builds.
import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Cleanup } from '../support/cleanup.ts';
import { bundleEdge, bundleLike, type WorkerBundle } from './worker-bundle.ts';

const repository = join(import.meta.dirname, '../..');

export const BUILDS = ['previous', 'next'] as const;
export type Build = (typeof BUILDS)[number];

export interface TwoBuilds {
  /** The directory of a build. */
  readonly checkouts: Readonly<Record<Build, string>>;
  /** The worker of one build with the objects of another. */
  bundle(worker: Build, objects: Build): Promise<WorkerBundle>;
}

/** Throws an Error if the repository has no such commit. */
export async function checkOutBuilds(cleanup: Cleanup): Promise<TwoBuilds> {
  const directory = mkdtempSync(join(tmpdir(), 'earshot-builds-'));
  cleanup.add(() => rmSync(directory, { recursive: true, force: true }));
  const commit = readFileSync(join(repository, 'deploy/previous'), 'utf8').trim();
  const previous = join(directory, 'previous');
  const git = (...args: string[]) => promisify(execFile)('git', args, { cwd: repository });
  await git('worktree', 'add', '--detach', previous, commit);
  cleanup.add(async () => {
    await git('worktree', 'remove', '--force', previous);
  });
  symlinkSync(join(repository, 'node_modules'), join(previous, 'node_modules'));
  const checkouts = { previous, next: repository };
  mkdirSync(join(directory, 'deployed'));
  const deployed = await bundleEdge(join(directory, 'deployed'));

  return {
    checkouts,
    bundle: async (worker, objects) => {
      const place = join(directory, `${worker}-${objects}`);
      mkdirSync(place);
      const entry = join(place, 'entry.ts');
      const lines = [
        `export { default } from '${checkouts[worker]}/edge/worker.ts';`,
        `export { RegionCache } from '${checkouts[objects]}/edge/region/region-cache.ts';`,
      ];
      writeFileSync(entry, `${lines.join('\n')}\n`);
      return { ...(await bundleLike(deployed, entry, place)), vars: deployed.vars };
    },
  };
}
