// Instances of embedded Bigtables with the `earshot` command configured for them.

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect } from 'vitest';
import { type CommandResult, runNode } from '../../../bench/rigs/local-cloud.ts';
import type { EmbeddedBigtable } from '../../../dev/bigtable/embedded-bigtable.ts';
import { type BigtableOptions, startBigtable } from '../../../dev/bigtable/server.ts';
import { listReleases } from '../../../ops/bigtable/release-record.ts';
import { applySchema } from '../../../ops/bigtable/schema/schema.ts';
import { CHECK_NAMES } from '../../../ops/release/checks/all.ts';
import { type BigtableAddress, connectBigtable } from '../../../origin/bigtable/connection.ts';
import { readManifest } from '../../../origin/bigtable/manifest-row.ts';
import { createRecommendationTable } from '../../../origin/bigtable/recommendation-table.ts';
import { toName, toUserId } from '../../../shared/domain/ids.ts';
import {
  CLUSTERS,
  controlOf,
  MONDAY,
  manifestOf,
  publishManifest,
  recordLoadOfOne,
  TIMEOUT_MS,
} from '../../contracts/origin/instance.ts';
import { runInProcess } from '../../support/earshot/command-in-process.ts';

/** The name of a release of `home`. */
export const releaseOf = (generation: number, variant = 'control'): string => `home/${variant}@${generation}`;

/** For loads of a few lists, which every check of the gate would refuse. */
export const ACCEPT_ALL: readonly string[] = [
  ...CHECK_NAMES.flatMap((name) => ['--accept', name]),
  ...['--why', 'a small load'],
];

export const COMMAND = 'ops/earshot.mjs';

/**
 * The instances of one test file. They end with it. A call has a process of its own, or with `inProcess` that of the
 * test: then it takes a tenth of the time, and there can be one at a time.
 */
export function createCommandInstances({ inProcess = false } = {}) {
  const root = mkdtempSync(join(tmpdir(), 'earshot-command-'));
  const closers: (() => Promise<unknown>)[] = [];
  let instances = 0;

  afterAll(async () => {
    for (const close of closers.reverse()) await close();
    rmSync(root, { recursive: true, force: true });
  });

  async function startServer(options: BigtableOptions = {}): Promise<EmbeddedBigtable> {
    const server = await startBigtable(options);
    closers.push(() => server.close());
    return server;
  }

  /** A new instance, and the command configured for it in an empty directory. */
  function makeEmptyInstance(server: EmbeddedBigtable) {
    const instance = `recs-${++instances}`;
    const directory = join(root, instance);
    mkdirSync(directory);
    const address: BigtableAddress = { project: 'e2e', instance, emulatorHost: server.endpoint };
    const bigtable = connectBigtable(address);
    closers.push(() => bigtable.close());
    const env = {
      EARSHOT_PROJECT: 'e2e',
      EARSHOT_INSTANCE: instance,
      BIGTABLE_EMULATOR_HOST: server.endpoint,
      EARSHOT_STATE_DIR: join(directory, 'state'),
    };
    return {
      address,
      bigtable,
      directory,
      env,
      earshot: async (...args: string[]): Promise<CommandResult> =>
        withoutTarget(inProcess ? await runInProcess(args, env) : await runNode([COMMAND, ...args], env)),
      /** In a process of its own, for calls at once. */
      earshotAlone: async (...args: string[]): Promise<CommandResult> =>
        withoutTarget(await runNode([COMMAND, ...args], env)),
      /** The path of a new file. */
      file: (name: string, content: string | Buffer) => {
        writeFileSync(join(directory, name), content);
        return join(directory, name);
      },
      /** The manifest with the bytes and timestamp of its cell: equal results prove that no write happened. */
      live: () => readManifest(bigtable, 'control', TIMEOUT_MS),
      receipt: async (generation: number) => {
        const loads = await listReleases(controlOf(bigtable), { surface: toName('home'), variant: toName('control') });
        return loads.find((load) => load.generation === generation);
      },
    };
  }

  async function makeInstance(server: EmbeddedBigtable) {
    const instance = makeEmptyInstance(server);
    await applySchema(instance.bigtable, { clusters: CLUSTERS, dryRun: false }, () => undefined);
    return instance;
  }

  /** A setting with Monday's home/control loaded and live. */
  async function makeLiveInstance(server: EmbeddedBigtable) {
    const instance = await makeInstance(server);
    const { bigtable } = instance;
    const load = { surface: toName('home'), variant: toName('control'), generation: MONDAY };
    await recordLoadOfOne(bigtable, load);
    await publishManifest(bigtable, manifestOf(1), MONDAY);
    return instance;
  }

  return { root, startServer, makeEmptyInstance, makeInstance, makeLiveInstance };
}

/** Without the line that names the instance. */
const withoutTarget = (result: CommandResult): CommandResult => ({
  ...result,
  stderr: result.stderr.replace(/^writing to .*\n/, ''),
});

export const home = (variant = 'control'): string[] => ['--surface', 'home', '--variant', variant];

export const itemsOf = (user: string): string => `{"id":"artist:1","score":1.0},{"id":"for:${user}","score":0.5}`;
export const line = (user: string): string => `{"user":"${user}","items":[${itemsOf(user)}]}`;
export const lines = (from: number, count: number): string =>
  Array.from({ length: count }, (_, i) => `${line(`u:${from + i}`)}\n`).join('');

/** The users' lists of home/control in a region, as text; the result's kind instead of a missing list. */
export async function readLists(
  address: BigtableAddress,
  generation: number,
  users: readonly string[],
  region = 'us',
): Promise<string[]> {
  const keys = users.map((user) => ({
    surface: toName('home'),
    variant: toName('control'),
    generation,
    user: toUserId(user),
  }));
  const table = createRecommendationTable({ address, appProfile: `serve-${region}`, onError: () => undefined });
  await table.warm();
  const results = await table.readLists(keys, TIMEOUT_MS).finally(() => table.close());
  return results.map((result) => (result.kind === 'list' ? Buffer.from(result.bytes).toString() : result.kind));
}

/** The only message of a failed call. A usage error also points to the help. */
export function messageOf({ code, stderr }: CommandResult): { code: number; message: string } {
  const messages = stderr.split('\n').filter((each) => /^(earshot|error): /.test(each));
  expect(messages, stderr).toHaveLength(1);
  expect(stderr).not.toMatch(/^ +at .*:\d+/m);
  return { code, message: messages[0] ?? '' };
}
