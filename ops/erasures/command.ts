// `earshot erasures`: every erasure with its state, and until when it has to be remembered.

import { Command } from 'commander';
import { KEEP_ERASURE_MS } from '../../shared/domain/effects/erasure-document.ts';
import { type ControlFlags, controlProfileOption, withControl } from '../cli/control.ts';
import { formatCount, formatTable } from '../cli/format.ts';
import { listErasures, readErasure, type StoredErasure } from '../effects/erasure-record.ts';

interface Flags extends ControlFlags {
  readonly json?: boolean;
}

export const makeErasuresCommand = (): Command =>
  new Command('erasures')
    .addCommand(
      new Command('list')
        .description('Every erasure: state, users, who and why.')
        .option('--json', 'print JSON')
        .addOption(controlProfileOption())
        .addHelpText('after', '\nExample:\n  $ npx earshot erasures list')
        .action(async (_options: unknown, own: Command) => list(own.optsWithGlobals())),
    )
    .addCommand(
      new Command('show')
        .description('One erasure, with the references to its users.')
        .argument('<erasure>', 'its id')
        .option('--json', 'print JSON')
        .addOption(controlProfileOption())
        .addHelpText('after', '\nExample:\n  $ npx earshot erasures show 20261130T024512000Z-1f0c2a4b')
        .action(async (id: string, _options: unknown, own: Command) => show(id, own.optsWithGlobals())),
    );

const untilOf = ({ finalMs }: StoredErasure): string =>
  finalMs === undefined ? 'its end' : new Date(finalMs + KEEP_ERASURE_MS).toISOString();

async function list(flags: Flags): Promise<void> {
  await withControl(flags, async (control) => {
    const all = await listErasures(control);
    if (flags.json) process.stdout.write(`${JSON.stringify({ erasures: all })}\n`);
    else if (all.length === 0) process.stdout.write('no erasures\n');
    else
      process.stdout.write(
        formatTable([
          ['erasure', 'state', 'users', 'remembered until', 'by', 'why'],
          ...all.map((each) => [each.id, each.state, formatCount(each.users), untilOf(each), each.by, each.why]),
        ]),
      );
  });
}

async function show(id: string, flags: Flags): Promise<void> {
  await withControl(flags, async (control) => {
    const erasure = await readErasure(control, id);
    if (erasure === undefined) throw new Error(`expected the id of an erasure, got ${id}`);
    if (flags.json) {
      process.stdout.write(`${JSON.stringify(erasure)}\n`);
      return;
    }
    const { state, by, why, sinceMs, keepOut, pendingRegions, refs } = erasure;
    const lines = [
      `${id}: ${state}, since ${new Date(sinceMs).toISOString()} by ${by} (${why})`,
      `remembered until ${untilOf(erasure)}${keepOut ? '; loads drop the lines of these users' : ''}`,
      ...(pendingRegions.length === 0 ? [] : [`not deleted yet in ${pendingRegions.join(', ')}`]),
      ...refs,
    ];
    process.stdout.write(`${lines.join('\n')}\n`);
  });
}
