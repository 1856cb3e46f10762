// `earshot check`: what the gate of a publication would say about a loaded release. It changes nothing.
import { Command } from 'commander';
import { TABLES } from '../../shared/domain/keys.ts';
import type { Manifest } from '../../shared/domain/manifest.ts';
import { isItems, nameRelease, type Release } from '../../shared/domain/release.ts';
import { EarshotError } from '../../shared/wire/errors.ts';
import type { ControlTable } from '../bigtable/control-table.ts';
import { liveManifest, RECENT_VERSIONS, readManifestRow } from '../bigtable/manifest-row.ts';
import { waitForReplication } from '../bigtable/replication.ts';
import { parseNames, parseWholeRelease } from '../cli/arguments.ts';
import { type ControlFlags, controlProfileOption, withControl } from '../cli/control.ts';
import { EXIT, ExitError } from '../cli/exit-codes.ts';
import { UsageError } from '../cli/usage-error.ts';
import { findTrouble } from '../manifest/manifest-trouble.ts';
import { CHECK_NAMES } from '../release/checks/all.ts';
import { checkItems } from '../release/gate/check-items.ts';
import { checkRelease } from '../release/gate/check-release.ts';
import { describeTable } from '../release/gate/describe-table.ts';
import { isDegraded, readRegions } from '../release/gate/serving-regions.ts';

interface Flags extends ControlFlags {
  readonly json?: boolean;
  readonly accept?: readonly string[];
  readonly why?: string;
  readonly checkCommand?: string;
  readonly regions?: readonly string[];
}

const help = `
The release is compared with the live one, by the summaries of their loads and by the lists of the same users
in every region. Exit code 3 means that a check refuses. docs/releases.md has the meaning and the remedy of
each check: ${CHECK_NAMES.join(', ')}.

Examples:
  $ npx earshot check home/control@2026-11-29T03:00:00Z
  $ npx earshot check home/control@2026-11-29T03:00:00Z --accept bytes --why "lists have 100 items now"
  $ npx earshot check home/control@2026-11-29T03:00:00Z --json --check-command ./offline-metrics.sh`;

const collect = (name: string, names: readonly string[] = []): string[] => [...names, name];

export const makeCheckCommand = (): Command =>
  new Command('check')
    .argument('<release>', 'surface/variant@generation', parseWholeRelease)
    .option('--json', 'print the table as JSON')
    .option('--accept <check>', 'let this check refuse; needs --why, and may be repeated', collect)
    .option('--why <text>', 'the reason for --accept')
    .option(
      '--check-command <command>',
      'shell command with the last word: it reads the table as JSON, and prints proceed, wait or abort',
    )
    .option('--regions <names>', 'check these regions alone, for example europe,us', parseNames)
    .addOption(controlProfileOption())
    .addHelpText('after', help)
    .action(async (release: Release, _options: unknown, command: Command) =>
      withControl(command.optsWithGlobals<Flags>(), (control) => check(control, release, command.optsWithGlobals())),
    );

async function check(control: ControlTable, release: Release, flags: Flags): Promise<void> {
  const { json = false, accept: accepted, why, checkCommand } = flags;
  const kept = await readManifestRow(control, RECENT_VERSIONS);
  const manifest = liveManifest(kept);
  if (manifest === undefined) throw new Error(findTrouble(kept, []) ?? 'the stored manifest is broken');
  const regions = await chooseRegions(control, manifest, flags.regions);
  await awaitLists(control);
  if (isItems(release) && checkCommand !== undefined)
    throw new UsageError('expected no --check-command with items: it is asked about lists');
  const judge = isItems(release) ? checkItems : checkRelease;
  const table = await judge(control, release, { manifest, regions, accepted, why, checkCommand });
  process.stdout.write(json ? `${JSON.stringify(table)}\n` : describeTable(table));
  if (table.verdict === 'passed') return;
  throw new ExitError(EXIT.refused, `${nameRelease(release)} is refused: ${table.reasons.join('; ')}`);
}

/** Without names: the regions that are not marked as degraded. */
async function chooseRegions(
  control: ControlTable,
  manifest: Manifest,
  named: readonly string[] | undefined,
): Promise<readonly string[]> {
  const all = await readRegions(control);
  const unknown = named?.find((region) => !all.includes(region));
  if (unknown !== undefined) throw new Error(`expected a region of ${all.join(', ')}, got ${unknown}`);
  if (named !== undefined) return named;
  const nowMs = control.retries.clock.now();
  const degraded = all.filter((region) => isDegraded(manifest, region, nowMs));
  if (degraded.length > 0) process.stderr.write(`note: not checked, because degraded: ${degraded.join(', ')}\n`);
  return all.filter((region) => !degraded.includes(region));
}

const REPLICATION_WAIT_MS = 30_000;

/** Lists that are still on their way would look like a difference between clusters. */
async function awaitLists({ bigtable, retries }: ControlTable): Promise<void> {
  try {
    const { clock } = retries;
    await waitForReplication(bigtable, TABLES.recommendations, { clock, timeoutMs: REPLICATION_WAIT_MS, retries });
  } catch (error) {
    if (!(error instanceof EarshotError) || error.code !== 'deadline_exceeded') throw error;
    process.stderr.write(`note: ${error.message}: clusters may differ for that reason\n`);
  }
}
