// The answers of `earshot experiment`: the experiments, one with its history, and the reason of a user's variant.
import { BUCKETS, sizeOf } from '../../shared/domain/experiments/schema.ts';
import { ID_GRAMMAR, isPublicId } from '../../shared/domain/ids.ts';
import { readManifestRow } from '../bigtable/manifest-row.ts';
import { type ControlFlags, withControl } from '../cli/control.ts';
import { formatShare, formatTable } from '../cli/format.ts';
import { UsageError } from '../cli/usage-error.ts';
import { readLive } from '../release/live.ts';
import { explain } from './explain.ts';
import { type FormFlags, parseCountries, splitPair } from './form.ts';
import { describeArms, percent, show } from './slots.ts';

interface Flags extends ControlFlags, Pick<FormFlags, 'country' | 'claim'> {
  readonly outside?: readonly string[];
  readonly json?: boolean;
}

export async function listExperiments(flags: Flags): Promise<void> {
  const { experiments = {} } = await withControl(flags, readLive);
  if (flags.json) return void process.stdout.write(`${JSON.stringify({ experiments })}\n`);
  const rows = Object.entries(experiments).map(([name, each]) => [
    ...[name, each.surface, each.layer, each.state, formatShare(sizeOf(each.slots), BUCKETS)],
    describeArms(each),
  ]);
  process.stdout.write(
    rows.length === 0
      ? 'there is no experiment\n'
      : formatTable([['experiment', 'surface', 'layer', 'state', 'of the layer', 'arms'], ...rows]),
  );
}

/** Versions of the manifest that the row keeps. */
const KEPT_VERSIONS = 200;

export async function showExperiment(name: string, flags: Flags): Promise<void> {
  const kept = await withControl(flags, (control) => readManifestRow(control, KEPT_VERSIONS));
  const experiment = kept[0]?.manifest?.experiments?.[name];
  if (experiment === undefined) throw new Error(`expected an experiment, got ${name}`);
  const history = kept
    .filter(({ note }) => new RegExp(`^experiment \\w+ ${name}$`).test(note?.what ?? ''))
    .map(({ note, writtenAtMs }) => ({ at: new Date(writtenAtMs).toISOString(), ...note }));
  if (flags.json) return void process.stdout.write(`${JSON.stringify({ name, ...experiment, history })}\n`);
  const facts = [
    ['surface', experiment.surface],
    ['layer', experiment.layer],
    ['state', experiment.state],
    ['slots', `${show(experiment.slots)} (${percent(sizeOf(experiment.slots))})`],
    ['salt', experiment.salt],
    ['control', experiment.control],
    ...experiment.arms.map(({ variant, buckets }) => [
      `arm ${variant}`,
      `${percent(sizeOf(buckets))}: ${show(buckets)}`,
    ]),
    ...(experiment.targeting === undefined ? [] : [['targeting', JSON.stringify(experiment.targeting)]]),
    ...Object.entries(experiment.allow ?? {}).map(([variant, hashes]) => [
      `allowed into ${variant}`,
      `${hashes.length}`,
    ]),
  ];
  const rows = history.map(({ at, what = '', by = '-', why = '-' }) => [at, what, by, why]);
  process.stdout.write(
    `${formatTable([['experiment', name], ...facts])}\n${formatTable([['when', 'what', 'by', 'why'], ...rows])}`,
  );
}

export async function explainUser(user: string, flags: Flags): Promise<void> {
  if (!isPublicId(user)) throw new UsageError(`expected a user to be ${ID_GRAMMAR}, got ${JSON.stringify(user)}`);
  const [country, ...more] = parseCountries(flags.country) ?? [];
  if (more.length > 0) throw new UsageError('expected --country once: a user is in one country');
  const claims = Object.fromEntries((flags.claim ?? []).map((pair) => splitPair('--claim', 'name=value', pair)));
  const arms = Object.fromEntries((flags.outside ?? []).map((pair) => splitPair('--outside', 'surface=variant', pair)));
  await withControl(flags, async (control) => {
    const explanations = explain(await readLive(control), user, { country, claims, arms }, control.retries.clock.now());
    if (flags.json) return void process.stdout.write(`${JSON.stringify({ user, surfaces: explanations })}\n`);
    for (const { surface, experiment, variant, reason, generation, trail } of explanations)
      process.stdout.write(
        [
          `${surface}: ${variant}, by ${experiment} (${reason}), ${generation}`,
          ...trail.map((each) => `  ${each}`),
          '',
        ].join('\n'),
      );
  });
}
