// The gate: checks a loaded release against the live one, by the summaries of their loads and a sample of their lists.
import { formatGeneration } from '../../../shared/domain/generation.ts';
import type { Manifest } from '../../../shared/domain/manifest.ts';
import { nameLine, nameRelease, type Release } from '../../../shared/domain/release.ts';
import type { ControlTable } from '../../bigtable/control-table.ts';
import { UsageError } from '../../cli/usage-error.ts';
import { CHECK_NAMES } from '../checks/all.ts';
import type { CheckInput } from '../checks/check.ts';
import { runVerdictCommand } from '../verdict-command.ts';
import { CHECK_COMMAND, toCommandRow } from './command-row.ts';
import { readKnownItems } from './known-items.ts';
import { findVariant, generationToCompare } from './live-generation.ts';
import { readLoad, requireLoaded } from './loaded-release.ts';
import { type GateVerdict, judge, noteUnknownBounds, runChecks } from './run-checks.ts';
import { readSample, type Sample } from './sample.ts';
import { comparableSummaries } from './sample-summary.ts';

export interface GateOptions {
  readonly manifest: Manifest;
  /** Regions whose clusters are read: all that are not degraded. */
  readonly regions: readonly string[];
  /** Names of checks that may refuse. Default: none. */
  readonly accepted?: readonly string[] | undefined;
  /** The reason for `accepted`. */
  readonly why?: string | undefined;
  /** Shell command with the last word. Default: none. */
  readonly checkCommand?: string | undefined;
  /** Users of the first part of the sample. Default: 10 000. */
  readonly targetUsers?: number;
}

/** The table of a check; its JSON is the input of a check command. */
export interface GateTable extends GateVerdict {
  readonly release: string;
  /** The release that was compared with. */
  readonly live: string | undefined;
  readonly sampled: { readonly users: number; readonly regions: readonly string[] };
  readonly notes: readonly string[];
}

/** Throws a UsageError for wrong options, an Error for a release that is not loaded, or an EarshotError. */
export async function checkRelease(control: ControlTable, release: Release, options: GateOptions): Promise<GateTable> {
  requireOptions(options);
  const { manifest, regions, accepted = [], why, checkCommand } = options;
  const { endedEarly, ...input } = await readInput(control, release, options);
  const bounds = manifest.surfaces[release.surface]?.checks;
  const described = {
    release: nameRelease(release),
    live:
      input.liveGeneration === undefined ? undefined : `${nameLine(release)}@${formatGeneration(input.liveGeneration)}`,
    sampled: { users: input.users.length, regions },
    notes: [...noteUnknownBounds(bounds), ...(endedEarly === undefined ? [] : [endedEarly])],
  };
  const table: GateTable = { ...described, ...runChecks(input, { bounds, accepted, why }) };
  if (checkCommand === undefined) return table;
  const word = await runVerdictCommand(checkCommand, table, { clock: control.retries.clock });
  return { ...described, ...judge([...table.rows, toCommandRow(word)], { accepted, why }) };
}

function requireOptions({ regions, accepted = [], why }: GateOptions): void {
  if (regions.length === 0) throw new UsageError('expected at least one region to check a release in, got none');
  const known = [...CHECK_NAMES, CHECK_COMMAND];
  const unknown = accepted.find((name) => !known.includes(name));
  if (unknown !== undefined)
    throw new UsageError(`expected a check to accept: one of ${known.join(', ')}, got ${JSON.stringify(unknown)}`);
  if (accepted.length > 0 && (why === undefined || why.trim() === ''))
    throw new UsageError('expected --why with --accept: the history tells the reason');
}

async function readInput(
  control: ControlTable,
  release: Release,
  options: GateOptions,
): Promise<CheckInput & Pick<Sample, 'endedEarly'>> {
  const { manifest, regions, targetUsers } = options;
  const record = await requireLoaded(control, release);
  const liveGeneration = generationToCompare(manifest, release);
  const live = liveGeneration === undefined ? undefined : { ...release, generation: liveGeneration };
  const liveRecord = live === undefined ? undefined : await readLoad(control, live);
  const lineage = findVariant(manifest, release)?.lineage;
  const sample = await readSample(control, {
    ...{ release, live: liveGeneration, lineage, regions },
    ...(targetUsers === undefined ? {} : { targetUsers }),
  });
  const items = await readKnownItems(control, regions[0] ?? '', sample.users);
  const recorded = { new: record.summary, live: liveRecord?.summary };
  return {
    ...sample,
    ...items,
    liveGeneration,
    summaries: comparableSummaries(recorded, sample.users, liveGeneration),
  };
}
