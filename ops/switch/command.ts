// `earshot switch`: what an operator turns off, or turns down, for some hours. Each switch ends by itself.
import { Command } from 'commander';
import { isKnownSwitch, SWITCH_FORMS } from '../../shared/domain/effects/switches.ts';
import type { Manifest } from '../../shared/domain/manifest.ts';
import { asOption, dryRunOption, parseDuration, whyOption } from '../cli/arguments.ts';
import { type ControlFlags, controlProfileOption, withControl } from '../cli/control.ts';
import { formatDuration, formatTable } from '../cli/format.ts';
import { UsageError } from '../cli/usage-error.ts';
import { confirmWrite } from '../cli/write-target.ts';
import { changeLive } from '../effects/change-live.ts';
import { readRegions } from '../release/gate/serving-regions.ts';
import { readLive } from '../release/live.ts';

interface Flags extends ControlFlags {
  readonly for?: number;
  readonly why?: string;
  readonly as?: string;
  readonly dryRun?: boolean;
  readonly json?: boolean;
}

const DEFAULT_FOR_MS = 4 * 3_600_000;
const MAX_FOR_MS = 7 * 86_400_000;

const help = `
Switches: ${SWITCH_FORMS.join('; ')}.
A switch takes effect everywhere within 12 s, and goes off by itself.

Examples:
  $ npx earshot switch set region-tier=off --for 2h --why "the objects of asia hang"
  $ npx earshot switch set surface.home=popular --why "the model shows one item to all"`;

export const makeSwitchCommand = (): Command =>
  new Command('switch')
    .addCommand(
      new Command('set')
        .description('Sets a switch, or sets it again for another time.')
        .argument('<name=value>', 'for example `hedging=off`')
        .option('--for <duration>', 'until it goes off by itself, at most 7d (default: 4h)', parseDuration)
        .addOption(asOption())
        .addOption(whyOption().makeOptionMandatory())
        .addOption(dryRunOption())
        .addOption(controlProfileOption())
        .addHelpText('after', help)
        .action(async (pair: string, _options: unknown, own: Command) => set(pair, own.optsWithGlobals())),
    )
    .addCommand(
      new Command('clear')
        .description('Takes a switch back before its end.')
        .argument('<name>', 'for example `hedging`')
        .addOption(asOption())
        .addOption(whyOption())
        .addOption(dryRunOption())
        .addOption(controlProfileOption())
        .addHelpText('after', '\nExample:\n  $ npx earshot switch clear hedging')
        .action(async (name: string, _options: unknown, own: Command) => clear(name, own.optsWithGlobals())),
    )
    .addCommand(
      new Command('list')
        .description('The switches that are on: until when, who and why.')
        .option('--json', 'print JSON')
        .addOption(controlProfileOption())
        .addHelpText('after', '\nExample:\n  $ npx earshot switch list')
        .action(async (_options: unknown, own: Command) => list(own.optsWithGlobals())),
    );

async function set(pair: string, flags: Flags): Promise<void> {
  const [, name = '', value = ''] = /^([^=]+)=(.+)$/.exec(pair) ?? [];
  if (!isKnownSwitch(name, value))
    throw new UsageError(`expected one of ${SWITCH_FORMS.join('; ')}, got ${JSON.stringify(pair)}`);
  const { for: forMs = DEFAULT_FOR_MS, why = '' } = flags;
  if (why.trim() === '') throw new UsageError('expected --why to have the reason, got an empty text');
  if (forMs > MAX_FOR_MS) throw new UsageError(`expected --for to be at most 7d, got ${formatDuration(forMs)}`);
  await confirmWrite(flags);
  await withControl(flags, async (control) => {
    const regions = name.startsWith('region.') ? await readRegions(control) : [];
    await changeLive(control, flags, {
      what: `switch set ${pair}`,
      change: (live, nowMs, by) => {
        requireTarget(live, regions, name);
        const untilMs = nowMs + forMs;
        return { ...live, switches: { ...live.switches, [name]: { value, untilMs, why, by, atMs: nowMs } } };
      },
      done: ({ switches }) => `${pair} until ${new Date(switches?.[name]?.untilMs ?? 0).toISOString()}`,
    });
  });
}

/** Throws an Error for the switch of a surface that is not live, or of no region: it would have no effect. */
function requireTarget({ surfaces }: Manifest, regions: readonly string[], name: string): void {
  const region = /^region\.(.+)/.exec(name)?.[1];
  if (region !== undefined && !regions.includes(region))
    throw new Error(`expected one of the regions ${regions.join(', ')}, got ${region}`);
  const surface = /^surface\.([^.]+)/.exec(name)?.[1];
  if (surface !== undefined && !Object.hasOwn(surfaces, surface))
    throw new Error(`expected a live surface, got ${surface} (live are ${Object.keys(surfaces).join(', ') || 'none'})`);
}

async function clear(name: string, flags: Flags): Promise<void> {
  await confirmWrite(flags);
  await withControl(flags, (control) =>
    changeLive(control, flags, {
      what: `switch clear ${name}`,
      change: (live) => {
        const { [name]: known, ...others } = live.switches ?? {};
        if (known === undefined) throw new Error(`expected a switch that is set, got ${name}`);
        return { ...live, switches: others };
      },
      done: () => `${name} is clear`,
    }),
  );
}

async function list(flags: Flags): Promise<void> {
  await withControl(flags, async (control) => {
    const { switches = {} } = await readLive(control);
    const nowMs = control.retries.clock.now();
    const live = Object.entries(switches).filter(([, { untilMs }]) => nowMs < untilMs);
    if (flags.json) process.stdout.write(`${JSON.stringify({ switches: Object.fromEntries(live) })}\n`);
    else if (live.length === 0) process.stdout.write('no switch is on\n');
    else process.stdout.write(formatTable([['switch', 'until', 'by', 'why'], ...live.map(toRow)]));
  });
}

const toRow = ([name, { value, untilMs, by = '', why = '' }]: [string, NonNullable<Manifest['switches']>[string]]) => [
  `${name}=${value}`,
  new Date(untilMs).toISOString(),
  by,
  why,
];
