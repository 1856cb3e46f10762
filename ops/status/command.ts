// `earshot status`: the regions as the edge of the local cloud sees them, the hit ratios of the tiers, and the origins.
import { Command } from 'commander';
import { systemClock } from '../../shared/runtime/clock.ts';
import { refuseConnection } from '../cli/arguments.ts';
import { requireLocalCloud } from '../cli/settings.ts';
import { watch } from '../cli/watch.ts';
import { describeStatus } from './describe-status.ts';
import { readLocalStatus } from './local-status.ts';

interface Flags {
  readonly watch?: boolean;
  readonly json?: boolean;
  readonly from?: string;
}

const WATCH_EVERY_MS = 1000;

const help = `
Origins are asked the way the edge asks them, so that a fault is seen here too.

Examples:
  $ npx earshot status
  $ npx earshot status --watch
  $ npx earshot status --from NRT --json`;

export const makeStatusCommand = (): Command =>
  new Command('status')
    .option('--watch', 'repeat once a second until Ctrl-C')
    .option('--from <code>', 'view of a caller near this data centre, for example NRT')
    .option('--json', 'print JSON; with --watch one line per second')
    .addHelpText('after', help)
    .action(async (flags: Flags, command: Command) => {
      refuseConnection(command);
      await show(flags);
    });

async function show({ from, json, ...flags }: Flags): Promise<void> {
  const cloud = requireLocalCloud();
  const make = async (): Promise<string> => {
    const status = await readLocalStatus(cloud, from);
    return json ? `${JSON.stringify(status, null, flags.watch ? 0 : 2)}\n` : describeStatus(status);
  };
  if (!flags.watch) {
    process.stdout.write(await make());
    return;
  }
  // The process can end at any moment: it has nothing to finish.
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(0));
  await watch(make, { everyMs: WATCH_EVERY_MS, clock: systemClock, output: process.stdout });
}
