// `earshot erase`: whatever is kept of users is deleted, and nothing of it is served from any cache.

import { Command } from 'commander';
import { KEEP_ERASURE_MS } from '../../shared/domain/effects/erasure-document.ts';
import type { UserId } from '../../shared/domain/ids.ts';
import type { ControlTable } from '../bigtable/control-table.ts';
import { asOption, dryRunOption, parseDuration, whyOption } from '../cli/arguments.ts';
import { type ControlFlags, controlProfileOption, withControl } from '../cli/control.ts';
import { formatPlural } from '../cli/format.ts';
import { readIds } from '../cli/id-arguments.ts';
import { findInstance } from '../cli/settings.ts';
import { UsageError } from '../cli/usage-error.ts';
import { findUserRef } from '../cli/user-ref.ts';
import { confirmWrite } from '../cli/write-target.ts';
import { type EraseDeps, runErasure } from '../effects/erase.ts';
import {
  beginErasure,
  findOpenErasures,
  forgetUsers,
  makeErasureId,
  readErasedUsers,
  readErasure,
  type StoredErasure,
} from '../effects/erasure-record.ts';
import { findRows } from '../effects/user-rows.ts';
import { verifyErased } from '../effects/verify-erased.ts';
import { findOrigins } from '../manifest/served-manifests.ts';
import { saveRecovery } from '../recovery/save.ts';
import { findEdge } from '../release/edge-sample.ts';
import { readRegions } from '../release/gate/serving-regions.ts';
import { whoIs } from '../release/who.ts';

interface Flags extends ControlFlags {
  readonly file?: string;
  readonly keepOut?: boolean;
  readonly verify?: boolean;
  readonly resume?: boolean;
  readonly wait?: number;
  readonly why?: string;
  readonly as?: string;
  readonly dryRun?: boolean;
}

/** Users of one call. Their ids stand in one row until its end. */
const MAX_USERS = 50_000;
const DEFAULT_WAIT_MS = 600_000;
/** An erasure has its record within this time, or is dead. */
const BEGIN_MS = 60_000;

const help = `
The users are hidden at once: the popular list is served in the place of theirs. Their rows are deleted, every cluster
has the deletion, and a final moment outlaws what caches hold from before. If a cluster is out, the users stay hidden
until --resume finds it clean. A later load brings a user back, unless --keep-out drops the lines.

Examples:
  $ npx earshot erase lastfm:2 --why "asked by the listener"
  $ npx earshot erase --file users.txt --keep-out --verify --why "a closed market"
  $ npx earshot erase --resume`;

export const makeEraseCommand = (): Command =>
  new Command('erase')
    .argument('[user...]', 'ids of users')
    .option('--file <path>', 'a file with one id a line; - is standard input')
    .option('--keep-out', 'loads drop the lines of these users from now on')
    .option('--verify', 'read through every tier and region at the end')
    .option('--resume', 'go on with every erasure that has not ended')
    .option('--wait <duration>', 'maximum wait for every cluster (default: 10m)', parseDuration)
    .addOption(asOption())
    .addOption(whyOption())
    .addOption(dryRunOption())
    .addOption(controlProfileOption())
    .addHelpText('after', help)
    .action(async (users: string[], _options: unknown, command: Command) => {
      const flags = command.optsWithGlobals<Flags>();
      checkFlags(users, flags);
      await (flags.resume ? resume(flags) : erase(readIds(users, flags, MAX_USERS), flags));
    });

function checkFlags(users: readonly string[], { resume: isResumed, file, keepOut, dryRun, why }: Flags): void {
  if (isResumed && (users.length > 0 || file !== undefined || keepOut || dryRun))
    throw new UsageError('expected --resume without users, --file, --keep-out and --dry-run: the record has them');
  if (!isResumed && (why ?? '').trim() === '') throw new UsageError('expected --why to have the reason, got none');
}

async function erase(users: readonly UserId[], flags: Flags): Promise<void> {
  if (flags.dryRun) return count(users, flags);
  const userRef = findUserRef(flags);
  await confirmWrite(flags);
  await withControl(flags, async (control) => {
    const deps = await makeDeps(control, flags);
    const nowMs = control.retries.clock.now();
    const { why = '', keepOut = false } = flags;
    const by = await whoIs(flags);
    const record = { format: 1, state: 'hiding', users: users.length, keepOut, by, why, sinceMs: nowMs } as const;
    const id = makeErasureId(nowMs);
    await beginErasure(control, id, { ...record, refs: users.map(userRef), pendingRegions: [] }, users);
    process.stdout.write(`${id}: ${formatPlural(users.length, 'user')}\n`);
    const begun = await readErasure(control, id);
    if (begun !== undefined) await finish(deps, begun, users, flags);
  });
}

/** Prints how many rows a call would delete. */
async function count(users: readonly UserId[], flags: Flags): Promise<void> {
  await withControl(flags, async (control) => {
    for (const region of await readRegions(control)) {
      const found = await findRows(control, region, users);
      process.stdout.write(`${region}: ${formatPlural(found.length, 'row')} would be deleted\n`);
    }
  });
}

async function resume(flags: Flags): Promise<void> {
  await confirmWrite(flags);
  await withControl(flags, async (control) => {
    const deps = await makeDeps(control, flags);
    const open = await findOpenErasures(control);
    if (open.length === 0) process.stdout.write('no erasure is open\n');
    const failures: string[] = [];
    for (const { id, writtenAtMs } of open) {
      const erasure = await readErasure(control, id);
      const users = await readErasedUsers(control, id);
      if (erasure === undefined) await forgetDead(control, id, writtenAtMs);
      else if (users === undefined) process.stdout.write(`${id}: ${erasure.state}, by another command\n`);
      else await finish(deps, erasure, users, flags).catch((error: Error) => failures.push(error.message));
    }
    if (failures.length > 0) throw new Error(failures.join('; '));
  });
}

/** An erasure that was killed before its record has hidden no user. A young one may be about to write the record. */
async function forgetDead(control: ControlTable, id: string, writtenAtMs: number): Promise<void> {
  if (control.retries.clock.now() - writtenAtMs > BEGIN_MS) {
    await forgetUsers(control, id);
    process.stdout.write(`${id}: was killed as it began, and is forgotten; nothing was hidden\n`);
  } else process.stdout.write(`${id}: begins, or was killed as it began; nothing is hidden\n`);
}

async function makeDeps(control: ControlTable, flags: Flags): Promise<EraseDeps> {
  return {
    ...{ control, origins: findOrigins(flags), sampleEdge: findEdge(flags), regions: await readRegions(control) },
    waitMs: flags.wait ?? DEFAULT_WAIT_MS,
    say: (line) => process.stdout.write(`${line}\n`),
  };
}

/** The record of an erasure has to survive the instance: a backup of before would bring the users back. */
async function saveRecord({ control, origins }: EraseDeps, flags: Flags): Promise<void> {
  const { EARSHOT_RECOVERY_FILE: path = '' } = process.env;
  if (path !== '') await saveRecovery(control, { path, userRef: findUserRef(flags), origins });
  else if (findInstance(flags).emulatorHost === undefined)
    process.stderr.write(
      'note: the instance alone has the record of this erasure: set EARSHOT_RECOVERY_FILE, or call `npx earshot recovery save`\n',
    );
}

/** Throws an Error if the users stay hidden, or if something of them is served. */
async function finish(deps: EraseDeps, begun: StoredErasure, users: readonly UserId[], flags: Flags): Promise<void> {
  await saveRecord(deps, flags);
  let proof = '';
  const verify = async (of: readonly UserId[]): Promise<void> => {
    proof = await verifyErased(deps, begun.id, of, flags);
  };
  const checked = flags.verify ? { ...deps, verify } : deps;
  const { id, state, pendingRegions, finalMs = 0, keepOut } = await runErasure(checked, begun, users);
  await saveRecord(deps, flags);
  if (state !== 'done')
    throw new Error(
      `${id}: the users are hidden, and ${pendingRegions.join(', ')} still has rows of them or does not answer: \`npx earshot erase --resume\` goes on`,
    );
  process.stdout.write(
    `${id}: erased; remembered until ${new Date(finalMs + KEEP_ERASURE_MS).toISOString()}\n` +
      `left of the users: answers on devices for DEVICE_MAX_AGE_SECONDS, lines in reject files of loads, and exposures by reference until the bucket deletes them\n` +
      (keepOut
        ? 'loads drop their lines from now on\n'
        : 'a later load brings them back (--keep-out drops their lines)\n') +
      proof,
  );
}
