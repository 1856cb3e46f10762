// `earshot release`: one release: its record, its adoption, and how to block it or to delete its lists.
import { Command } from 'commander';
import { APP_PROFILES } from '../../origin/bigtable/app-profiles.ts';
import { FAMILIES, JSON_QUALIFIER, makeListQualifier, TABLES } from '../../shared/domain/keys.ts';
import { isItems, nameRelease, type Release } from '../../shared/domain/release.ts';
import { systemClock } from '../../shared/runtime/clock.ts';
import type { ControlTable } from '../bigtable/control-table.ts';
import { whyNotClaim } from '../bigtable/load-claim.ts';
import { endOpen, readOpen } from '../bigtable/open-release.ts';
import { readRecord, updateRecord } from '../bigtable/release-record.ts';
import { scanCells } from '../bigtable/scan-cells.ts';
import { createBulkWriter } from '../bigtable/writes/bulk-writer.ts';
import { asOption, parseWholeRelease, whyOption } from '../cli/arguments.ts';
import { type ControlFlags, controlProfileOption, withControl } from '../cli/control.ts';
import { formatPlural } from '../cli/format.ts';
import { UsageError } from '../cli/usage-error.ts';
import { confirmWrite } from '../cli/write-target.ts';
import { findOrigins } from '../manifest/served-manifests.ts';
import { makeAdoptCommand } from './adopt/command.ts';
import { confirmLive } from './confirm.ts';
import { findEdge } from './edge-sample.ts';
import { readLive } from './live.ts';
import { leave } from './manifest-changes.ts';
import { stateOfRelease } from './state.ts';
import { changeRelease, recordState, repairRecords } from './steps.ts';
import { whoIs } from './who.ts';

interface Flags extends ControlFlags {
  readonly json?: boolean;
  readonly why?: string;
  readonly as?: string;
}

/** An example for the help of a subcommand. */
const example = (call: string): string => `\nExample:\n  $ npx earshot release ${call}`;

const argument = ['<surface/variant@generation>', 'for example `home/control@2026-11-22T03:00:00Z`'] as const;

export const makeReleaseCommand = (): Command =>
  new Command('release')
    .addCommand(
      new Command('show')
        .description('The record of a release: its load, its state and its history.')
        .argument(...argument, parseWholeRelease)
        .option('--json', 'print JSON')
        .addOption(controlProfileOption())
        .addHelpText('after', example('show home/control@2026-11-22T03:00:00Z'))
        .action(async (release: Release, _options: unknown, own: Command) => show(release, own.optsWithGlobals())),
    )
    .addCommand(makeAdoptCommand())
    .addCommand(
      changing('block', 'No user reads the release any more, and it is published again only with --again.').action(
        async (release: Release, _options: unknown, own: Command) => block(release, own.optsWithGlobals()),
      ),
    )
    .addCommand(
      changing('drop', 'Deletes the lists of a release that no user can be on.').action(
        async (release: Release, _options: unknown, own: Command) => drop(release, own.optsWithGlobals()),
      ),
    );

const changing = (name: string, description: string): Command =>
  new Command(name)
    .description(description)
    .argument(...argument, parseWholeRelease)
    .addOption(asOption())
    .addOption(whyOption().makeOptionMandatory())
    .addOption(controlProfileOption())
    .addHelpText('after', example(`${name} home/control@2026-11-22T03:00:00Z --why "personal data in titles"`));

async function show(release: Release, flags: Flags): Promise<void> {
  await withControl(flags, async (control) => {
    const stored = await readRecord(control, release);
    if (stored === undefined) throw new Error(`expected a release with a record, got ${nameRelease(release)}`);
    const manifest = await readLive(control);
    const state = stateOfRelease(manifest, release, stored.record, control.retries.clock.now());
    const open = await readOpen(control, release);
    const { plan, step } = open?.generation === release.generation ? open : { plan: undefined, step: undefined };
    const shown = {
      release: nameRelease(release),
      state,
      ...(plan === undefined ? {} : { step, plan }),
      record: stored.record,
    };
    if (flags.json) process.stdout.write(`${JSON.stringify(shown, null, 2)}\n`);
    else process.stdout.write(describe(shown));
  });
}

function describe({
  release,
  state,
  step,
  record,
}: {
  release: string;
  state: string;
  step?: string | undefined;
  record: Awaited<ReturnType<typeof readRecord>> extends infer R | undefined
    ? R extends { record: infer T }
      ? T
      : never
    : never;
}): string {
  const { summary, transitions } = record;
  const spread = (part: { p50: number; p99: number; max: number }): string => `${part.p50} / ${part.p99} / ${part.max}`;
  const lines = [
    `${release}: ${state}${step === undefined ? '' : `, open at step ${step}`}`,
    `${formatPlural(record.lists, 'list')}, ${formatPlural(record.rejected, 'reject')}`,
    ...(summary === undefined
      ? []
      : [
          `items a list (p50 / p99 / max): ${spread(summary.items)}`,
          `bytes a list (p50 / p99 / max): ${spread(summary.bytes)}`,
          `checksum ${summary.checksum}`,
        ]),
    ...transitions.map(
      ({ atMs, to, by, why }) =>
        `${new Date(atMs).toISOString()}  ${to}  by ${by}${why === undefined ? '' : ` (${why})`}`,
    ),
  ];
  return `${lines.join('\n')}\n`;
}

function requireWhy({ why = '' }: Flags): string {
  if (why.trim() !== '') return why;
  throw new UsageError('expected --why to have the reason, got an empty text');
}

async function block(release: Release, flags: Flags): Promise<void> {
  const why = requireWhy(flags);
  await confirmWrite(flags);
  await withControl(flags, async (control) => {
    const by = await whoIs(flags);
    if ((await readRecord(control, release)) === undefined)
      throw new Error(`expected a release with a record, got ${nameRelease(release)}`);
    const open = await readOpen(control, release);
    if (open?.generation === release.generation) await endOpen(control, release);
    const { before, next, nowMs } = await changeRelease(control, {
      ...{ release, to: 'blocked', by, why, what: `block ${nameRelease(release)}`, origins: findOrigins(flags) },
      change: (manifest) => leave(manifest, release),
    });
    await repairRecords(control, release, next, by);
    process.stdout.write(`${nameRelease(release)} is blocked (version ${next.version})\n`);
    if (next === before) return;
    const confirmation = { version: next.version, writtenAtMs: nowMs, exceptRegions: [], sampleEdge: findEdge(flags) };
    process.stdout.write(await confirmLive(control, confirmation));
  });
}

/** A drop takes no claim over, as `earshot release adopt` takes none. */
const AS_ADOPT = { add: false, takeOver: false, adopt: true };
/** States of a release whose lists can be deleted. A drop that was killed is repeated. */
const DROPPABLE = ['loading', 'loaded', 'checked', 'refused', 'rolled-back', 'blocked', 'dropped'];

async function drop(release: Release, flags: Flags): Promise<void> {
  const why = requireWhy(flags);
  await confirmWrite(flags);
  await withControl(flags, async (control) => {
    const stored = await readRecord(control, release);
    if (stored === undefined) throw new Error(`expected a release with a record, got ${nameRelease(release)}`);
    const state = stateOfRelease(await readLive(control), release, stored.record, control.retries.clock.now());
    const open = await readOpen(control, release);
    if (open?.generation === release.generation)
      throw new Error(`${nameRelease(release)} is being published: end that first`);
    if (!DROPPABLE.includes(state))
      throw new Error(
        `expected a release that no user can be on (${DROPPABLE.join(', ')}), got ${nameRelease(release)}, which is ${state}`,
      );
    // A load that runs would write behind the deletion until its next renewal.
    const reason =
      state === 'loading' ? whyNotClaim(release, stored, AS_ADOPT, control.retries.clock.now()) : undefined;
    if (reason !== undefined) throw new Error(reason);
    const by = await whoIs(flags);
    // First the record, so that nothing publishes it meanwhile.
    if (state !== 'dropped') await recordState(control, release, { to: 'dropped', by, why });
    const deleted = await deleteLists(control, release);
    await updateRecord(control, release, (record = stored.record) =>
      // A load of the same generation may have begun.
      record.state === 'dropped' ? { ...record, isEmpty: true } : record,
    );
    process.stdout.write(`${nameRelease(release)} is dropped: ${formatPlural(deleted, 'list')} deleted\n`);
  });
}

/** Returns the number of deleted lists, or of deleted metadata of items. Throws an EarshotError. */
async function deleteLists(control: ControlTable, release: Release): Promise<number> {
  const { generation: timestampMs } = release;
  const column = isItems(release)
    ? { table: TABLES.items, family: FAMILIES.metadata, qualifier: JSON_QUALIFIER, timestampMs }
    : {
        ...{ table: TABLES.recommendations, family: FAMILIES.lists, timestampMs },
        qualifier: makeListQualifier(release.surface, release.variant),
      };
  const writer = createBulkWriter(control.bigtable, {
    ...column,
    ...{ appProfile: APP_PROFILES.ingest, clock: systemClock, random: Math.random },
  });
  let deleted = 0;
  try {
    for await (const keys of scanCells(control, column)) {
      for (const rowKey of keys) {
        const room = writer.write({ rowKey, value: undefined });
        if (room !== undefined) await room;
        deleted++;
      }
    }
    await writer.flush();
  } finally {
    await writer.stop();
  }
  return deleted;
}
