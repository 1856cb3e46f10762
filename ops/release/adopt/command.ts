// `earshot release adopt`: makes a release of lists that another engine has written into the table.
import { Command, InvalidArgumentError } from 'commander';
import { isItems, type Line, nameLine, nameRelease, type Release } from '../../../shared/domain/release.ts';
import type { Clock } from '../../../shared/runtime/clock.ts';
import { asOption, dryRunOption, generationOption, parseLine, whyOption } from '../../cli/arguments.ts';
import { type ControlFlags, controlProfileOption, withControl } from '../../cli/control.ts';
import { EXIT, ExitError } from '../../cli/exit-codes.ts';
import { formatCount, formatPlural } from '../../cli/format.ts';
import { UsageError } from '../../cli/usage-error.ts';
import { findUserRef } from '../../cli/user-ref.ts';
import { confirmWrite } from '../../cli/write-target.ts';
import { whoIs } from '../who.ts';
import { type Adoption, adoptRelease } from './adopt-release.ts';
import { groupShards, SHARDS } from './key-shards.ts';

interface Flags extends ControlFlags {
  readonly generation: number;
  readonly expectLists: number;
  readonly sample: number;
  readonly why?: string;
  readonly as?: string;
  readonly dryRun?: boolean;
  readonly json?: boolean;
}

const DEFAULT_SAMPLE = 10_000;
const MAX_LISTS = 1_000_000_000;

const help = `
For lists that a Dataflow template, an EXPORT DATA of BigQuery or a Beam job has written: a cell in the family l and
the column surface/variant, with the generation as its timestamp, under the row key that a load would use. Every list
is read and counted, at low priority. A load that is not whole, or not in the stored form, is refused with exit code 3,
and nothing is recorded. docs/releases.md has the form of a list.

Examples:
  $ npx earshot release adopt home/control --generation 2026-11-29T03:00:00Z --expect-lists 12500000 --dry-run
  $ npx earshot release adopt home/control --generation 2026-11-29T03:00:00Z --expect-lists 12500000 --why nightly`;

export const makeAdoptCommand = (): Command =>
  new Command('adopt')
    .description('Makes a release of lists that another engine has written into the table.')
    .argument('<surface/variant>', 'for example `home/control`', parseLine)
    .addOption(generationOption('timestamp of the cells').makeOptionMandatory())
    .requiredOption('--expect-lists <n>', 'number of lists that the engine has written', parseCount)
    .option('--sample <n>', 'number of lists that are checked in full', parseCount, DEFAULT_SAMPLE)
    .addOption(asOption())
    .addOption(whyOption())
    .addOption(dryRunOption())
    .option('--json', 'print JSON')
    .addOption(controlProfileOption())
    .addHelpText('after', help)
    .action(async (line: Line, _options: unknown, own: Command) => adopt(line, own.optsWithGlobals()));

function parseCount(text: string): number {
  if (/^[1-9]\d{0,9}$/.test(text) && Number(text) <= MAX_LISTS) return Number(text);
  throw new InvalidArgumentError(`expected a whole number from 1 to ${MAX_LISTS}.`);
}

async function adopt(line: Line, flags: Flags): Promise<void> {
  if (isItems(line))
    throw new UsageError('expected surface/variant, got items: load them with `npx earshot ingest --items`');
  const { generation, expectLists: expected, sample, why, dryRun = false } = flags;
  const release: Release = { ...line, generation };
  const by = `${await whoIs(flags)}, adopt, process ${process.pid}`;
  await confirmWrite(flags);
  await withControl(flags, async (control) => {
    const adoption = await adoptRelease(control, release, {
      ...{ expected, sample, by, why, dryRun, findRef: () => findUserRef(flags) },
      onShard: createProgress(release, control.retries.clock),
    });
    process.stdout.write(describe(release, adoption, flags));
    if (adoption.reasons.length === 0) return;
    throw new ExitError(
      EXIT.refused,
      `${nameRelease(release)} is not adopted, and nothing is recorded: ${adoption.reasons.join('; ')}`,
    );
  });
}

function describe(release: Release, adoption: Adoption, flags: Flags): string {
  return flags.json ? `${JSON.stringify(toJson(release, adoption, flags))}\n` : toText(release, adoption, flags);
}

const verdictOf = ({ reasons }: Adoption, { dryRun }: Flags): string =>
  reasons.length > 0 ? 'refused' : dryRun ? 'would be adopted' : 'adopted';

const toJson = (release: Release, adoption: Adoption, flags: Flags) => ({
  ...{ release: nameRelease(release), verdict: verdictOf(adoption, flags), reasons: adoption.reasons },
  ...{ expected: flags.expectLists, found: adoption.found, keptOut: adoption.keptOut.length },
  ...{ erased: adoption.erased },
  ...{ sampled: adoption.sampled, faults: adoption.faultCount, firstFaults: adoption.faults },
  ...{ shards: groupShards(adoption.counts, flags.expectLists), summary: adoption.summary },
});

function toText(release: Release, adoption: Adoption, flags: Flags): string {
  const { found, sampled, keptOut, faults, reasons, summary } = adoption;
  const name = nameRelease(release);
  const shards = groupShards(adoption.counts, flags.expectLists).map(({ lists }) => lists);
  const spread = `${formatCount(Math.min(...shards))} to ${formatCount(Math.max(...shards))}`;
  const lines = [
    `${name}: ${formatPlural(found, 'list')}, ${spread} in each of ${formatPlural(shards.length, 'shard')}`,
    `${formatPlural(sampled, 'list')} checked, checksum ${summary.checksum}`,
    ...faults.map(({ rowKey, reason }) => `  ${rowKey}: ${reason}`),
  ];
  if (found < flags.expectLists && reasons.length === 0)
    lines.push(
      `${formatPlural(flags.expectLists - found, 'list')} fewer than expected: up to ${formatPlural(adoption.erased, 'user')} erased since the generation`,
    );
  if (keptOut.length > 0 && reasons.length === 0)
    lines.push(
      `${formatPlural(keptOut.length, 'list')} ${flags.dryRun ? 'would be ' : ''}deleted: their users are kept out`,
    );
  if (reasons.length === 0) lines.push(`${name} ${flags.dryRun ? 'would be' : 'is'} adopted`);
  if (reasons.length === 0 && !flags.dryRun) lines.push(`To make it live: npx earshot publish ${name}`);
  return `${lines.join('\n')}\n`;
}

const LINE_EVERY_MS = 5000;

/** A line on standard error every few seconds. */
function createProgress(release: Release, clock: Clock): (doneShards: number, lists: number) => void {
  let lastLineAtMs = clock.now();
  return (doneShards, lists) => {
    if (clock.now() - lastLineAtMs < LINE_EVERY_MS) return;
    lastLineAtMs = clock.now();
    const percent = Math.floor((100 * doneShards) / SHARDS);
    process.stderr.write(`${nameLine(release)}: ${percent} %, ${formatPlural(lists, 'list')} read\n`);
  };
}
