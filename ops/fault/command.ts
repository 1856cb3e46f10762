// `earshot fault`: injects a fault into the local cloud, shows the faults, or heals them.
import { Command, InvalidArgumentError } from 'commander';
import { parseNames, refuseConnection } from '../cli/arguments.ts';
import { requireLocalCloud } from '../cli/settings.ts';
import { UsageError } from '../cli/usage-error.ts';
import { describeFaults } from './describe-faults.ts';
import { type ClusterFault, createLocalFaults, type FaultState, type LocalFaults } from './local-faults.ts';
import { BYTES_PER_SECOND, DELAY_MS, type Figure, type RegionFault, ROWS_PER_SECOND, SHARE } from './region-fault.ts';

interface Flags {
  readonly down?: boolean;
  readonly blackHole?: boolean;
  readonly reset?: boolean;
  readonly latency?: number;
  readonly latencyShare?: number;
  readonly jitter?: number;
  readonly errors?: number;
  readonly drip?: number;
  readonly rowsPerSecond?: number;
  readonly stop?: readonly string[];
  readonly lag?: number;
  readonly kill?: boolean;
  readonly heal?: boolean;
}
type FlagName = keyof Flags;

type Target =
  | { readonly kind: 'region'; readonly region: string }
  | { readonly kind: 'cluster'; readonly region: string }
  | { readonly kind: 'part'; readonly part: string }
  | { readonly kind: 'replication' };

type FaultyTarget = Exclude<Target, { kind: 'part' }>;

/** Options of each kind of target, besides --heal. */
const FLAGS_OF: Readonly<Record<Target['kind'], readonly FlagName[]>> = {
  region: ['down', 'blackHole', 'reset', 'latency', 'latencyShare', 'jitter', 'errors', 'drip'],
  cluster: ['down', 'blackHole', 'latency', 'latencyShare', 'jitter', 'errors', 'rowsPerSecond'],
  replication: ['stop', 'lag'],
  part: ['kill'],
};
const ALONE: readonly FlagName[] = ['down', 'blackHole', 'reset', 'kill', 'heal'];

const help = `
TARGET is a region (europe), a region's Bigtable cluster (bigtable/europe), replication, or a part: origin/europe, bigtable, edge.
New faults replace the target's earlier faults. A killed part starts again; a killed Bigtable keeps its rows and loses its faults.
Without options the command shows all faults. --heal without a target removes all faults.

Examples:
  $ npx earshot fault europe --down
  $ npx earshot fault europe --latency 500 --jitter 50 --errors 0.1
  $ npx earshot fault bigtable/europe --black-hole
  $ npx earshot fault bigtable/europe --rows-per-second 5000
  $ npx earshot fault replication --stop europe
  $ npx earshot fault origin/europe --kill
  $ npx earshot fault europe --heal
  $ npx earshot fault --heal
  $ npx earshot fault`;

export const makeFaultCommand = (): Command =>
  new Command('fault')
    .argument('[target]', 'region, bigtable/REGION, replication, origin/REGION, bigtable or edge')
    .option('--down', 'refuse connections')
    .option('--black-hole', 'accept connections and never answer')
    .option('--reset', 'reset connections (regions only)')
    .option('--latency <ms>', 'delay answers', parseFigure(DELAY_MS))
    .option('--latency-share <0..1>', 'delay only this share of answers', parseFigure(SHARE))
    .option('--jitter <ms>', 'delay answers by up to this much more', parseFigure(DELAY_MS))
    .option('--errors <0..1>', 'answer this share with an error', parseFigure(SHARE))
    .option(
      '--drip <bytes>',
      'limit bodies to this many bytes per second (regions only)',
      parseFigure(BYTES_PER_SECOND),
    )
    .option('--rows-per-second <rows>', 'limit reads to this rate (clusters only)', parseFigure(ROWS_PER_SECOND))
    .option(
      '--stop <regions>',
      'cut these clusters off from the others, separated by commas (replication only)',
      parseNames,
    )
    .option('--lag <ms>', 'delay of a write to the other clusters (replication only)', parseFigure(DELAY_MS))
    .option('--kill', 'kill its process, which is started again (parts only)')
    .option('--heal', 'mend it')
    .option('--json', 'print the faults as JSON')
    .addHelpText('after', help)
    .action(async (text: string | undefined, { json, ...flags }: Flags & { json?: boolean }, command: Command) => {
      refuseConnection(command);
      const target = text === undefined ? undefined : parseTarget(text);
      checkFlags(target, flags);
      const faults = createLocalFaults(requireLocalCloud());
      if (target?.kind === 'part') await kill(faults, target.part);
      else show(await change(faults, target, flags), json);
    });

async function kill(faults: LocalFaults, part: string): Promise<void> {
  await faults.kill(part);
  process.stdout.write(`${part} is killed and starts again: npx earshot status\n`);
}

/** The faults after the change, or as they are without options. */
async function change(faults: LocalFaults, target: FaultyTarget | undefined, flags: Flags): Promise<FaultState> {
  const before = await faults.read();
  if (target !== undefined) checkTarget(target, flags, before);
  if (Object.keys(flags).length === 0) {
    if (target === undefined) return before;
    throw new UsageError('expected an option for the target; without a target the command shows all faults');
  }
  if (target === undefined) await healAll(faults, before);
  else await apply(faults, before, target, flags);
  return faults.read();
}

function show(state: FaultState, json: boolean | undefined): void {
  process.stdout.write(json ? `${JSON.stringify(state, null, 2)}\n` : describeFaults(state));
}

function parseTarget(text: string): Target {
  if (text === 'replication') return { kind: 'replication' };
  if (text === 'bigtable' || text === 'edge' || text.startsWith('origin/')) return { kind: 'part', part: text };
  const [, cluster] = /^bigtable\/(.+)$/.exec(text) ?? [];
  return cluster === undefined ? { kind: 'region', region: text } : { kind: 'cluster', region: cluster };
}

/** `--black-hole`. */
const spell = (name: string): string => `--${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;

/** Throws a UsageError for options that are wrong in any cloud. */
function checkFlags(target: Target | undefined, flags: Flags): void {
  const given = Object.keys(flags) as FlagName[];
  const alone = given.find((name) => ALONE.includes(name));
  if (alone !== undefined && given.length > 1) {
    const others = given.filter((name) => name !== alone);
    throw new UsageError(`expected ${spell(alone)} alone, got it with ${others.map(spell).join(' and ')}`);
  }
  if (flags.latencyShare !== undefined && flags.latency === undefined && flags.jitter === undefined)
    throw new UsageError('expected --latency or --jitter with --latency-share, got neither: it has no effect alone');
  if (flags.kill && target?.kind !== 'part')
    throw new UsageError('expected a part for --kill: origin/REGION, bigtable or edge');
  const allowed = allowedFor(target);
  const wrong = given.find((name) => !allowed.includes(name));
  if (target?.kind === 'part' && given.length === 0)
    throw new UsageError(`expected ${spell('kill')} for ${target.part}, got no option`);
  if (wrong === undefined) return;
  if (target === undefined) throw new UsageError(`expected a target for ${spell(wrong)}, for example europe, got none`);
  const what = { region: 'a region', cluster: 'a cluster', replication: 'replication', part: 'a part' }[target.kind];
  throw new UsageError(`expected ${allowed.map(spell).join(', ')} for ${what}, got ${spell(wrong)}`);
}

function allowedFor(target: Target | undefined): readonly FlagName[] {
  if (target === undefined) return ['heal'];
  return target.kind === 'part' ? FLAGS_OF.part : ['heal', ...FLAGS_OF[target.kind]];
}

/** Throws a UsageError for a target that this local cloud does not have. */
function checkTarget(target: FaultyTarget, { stop = [] }: Flags, { regions }: FaultState): void {
  const known = Object.keys(regions);
  const named = target.kind === 'replication' ? stop : [target.region];
  const unknown = named.find((name) => !known.includes(name));
  if (unknown === undefined) return;
  const targets = [...known, ...known.map((name) => `bigtable/${name}`), 'replication'];
  const expected = target.kind === 'region' ? targets : known;
  throw new UsageError(`expected one of ${expected.join(', ')}, got ${JSON.stringify(unknown)}`);
}

async function apply(faults: LocalFaults, { bigtable }: FaultState, target: FaultyTarget, flags: Flags): Promise<void> {
  if (target.kind === 'region') return faults.setRegion(target.region, toFault(flags));
  if (target.kind === 'cluster') return faults.setCluster(target.region, toFault(flags));
  const lagMs = flags.lag ?? bigtable?.replication.initialLagMs ?? 0;
  return faults.setReplication({ lagMs, stopped: flags.stop ?? [] });
}

function toFault(flags: Flags): RegionFault & ClusterFault {
  const { down, blackHole, reset, latency, latencyShare, jitter, errors, drip, rowsPerSecond } = flags;
  const named = { down, blackHole, reset, latencyMs: latency, latencyShare, jitterMs: jitter, errorShare: errors };
  const members = Object.entries({ ...named, dripBytesPerSecond: drip, rowsPerSecond });
  return Object.fromEntries(members.filter(([, value]) => value !== undefined));
}

async function healAll(faults: LocalFaults, { regions, bigtable }: FaultState): Promise<void> {
  for (const region of Object.keys(regions)) await faults.setRegion(region, {});
  if (bigtable === undefined) return;
  for (const region of Object.keys(bigtable.clusters)) await faults.setCluster(region, {});
  await faults.setReplication({ lagMs: bigtable.replication.initialLagMs, stopped: [] });
}

/** A parser of numbers within the bounds of `figure`. */
function parseFigure({ schema, what }: Figure): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (/^\d+(\.\d+)?$/.test(text) && schema.safeParse(value).success) return value;
    throw new InvalidArgumentError(`expected ${what}.`);
  };
}
