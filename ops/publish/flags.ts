// The options of `earshot publish`, checked, and as the plan of a publication.
import type { Name } from '../../shared/domain/ids.ts';
import { parseRelease, RELEASE_FORM } from '../../shared/domain/release.ts';
import type { Plan } from '../bigtable/open-release.ts';
import type { ControlFlags } from '../cli/control.ts';
import { UsageError } from '../cli/usage-error.ts';

export interface Flags extends ControlFlags {
  readonly weight?: number;
  readonly at?: number;
  readonly warm?: number;
  readonly canary?: number;
  readonly soak?: number;
  readonly regions?: readonly Name[];
  readonly between?: number;
  readonly ramp?: number | 'auto';
  /** False: do not wait. */
  readonly wait?: number | false | undefined;
  readonly accept?: readonly string[];
  readonly checkCommand?: string;
  readonly guardCommand?: string;
  readonly again?: boolean;
  readonly resume?: boolean;
  readonly why?: string;
  readonly as?: string;
  readonly dryRun?: boolean;
}

const DEFAULT_SOAK_MS = 240_000;

/** Throws a UsageError for the options of an earlier form, and without a release. */
export function parseNamed(
  text: string | undefined,
  flags: Flags & Partial<Record<'surface' | 'variant' | 'generation', string>>,
) {
  if (flags.surface !== undefined || flags.variant !== undefined || flags.generation !== undefined)
    throw new UsageError(
      '--surface, --variant and --generation are gone: name the release as surface/variant@generation',
    );
  const parsed = text === undefined ? undefined : parseRelease(text);
  if (parsed !== undefined) return parsed;
  throw new UsageError(
    text === undefined
      ? "missing required argument 'surface/variant[@generation]'"
      : `expected ${RELEASE_FORM}, got ${JSON.stringify(text)}`,
  );
}

/** Throws a UsageError for options that have no effect together. */
export function checkFlags(flags: Flags): void {
  const { wait, dryRun, soak, canary, between, regions, accept, why, resume } = flags;
  const refuse = (message: string) => new UsageError(message);
  if (dryRun && wait !== undefined)
    throw refuse('expected no --wait with --dry-run: a dry run does not wait for the lists');
  if (soak !== undefined && canary === undefined) throw refuse('expected --canary with --soak');
  if (flags.guardCommand !== undefined && canary === undefined) throw refuse('expected --canary with --guard-command');
  if ((between === undefined) !== (regions === undefined)) throw refuse('expected --regions and --between together');
  if (accept !== undefined && (why ?? '').trim() === '') throw refuse('expected --why with --accept: history says why');
  if (resume && (dryRun || Object.keys(planOf(flags)).some((name) => !['accepted', 'isWaiting'].includes(name))))
    throw refuse('expected no other option with --resume: it goes on with the plan of the open publication');
}

/** The members without a value are absent. */
export function planOf(flags: Flags): Partial<Plan> {
  const { weight, at, warm, canary, soak = DEFAULT_SOAK_MS, regions, between, ramp, wait, accept, why } = flags;
  const plan: Partial<Plan> = {
    ...{ weight, atMs: at, warmMs: warm, betweenMs: between, ramp, why },
    ...{ checkCommand: flags.checkCommand, guardCommand: flags.guardCommand },
    regions: regions === undefined ? undefined : [...regions],
    canary: canary === undefined ? undefined : { share: canary, soakMs: soak },
    waitMs: typeof wait === 'number' ? wait : undefined,
    isWaiting: wait !== false,
    accepted: [...(accept ?? [])],
  } as Partial<Plan>;
  return Object.fromEntries(Object.entries(plan).filter(([, value]) => value !== undefined));
}
