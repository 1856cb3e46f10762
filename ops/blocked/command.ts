// `earshot blocked`: the items that no answer may hold.
import { Command } from 'commander';
import { type ControlFlags, controlProfileOption, withControl } from '../cli/control.ts';
import { formatTable } from '../cli/format.ts';
import { type BlockNote, readBlocked } from '../effects/block-changes.ts';

interface Flags extends ControlFlags {
  readonly json?: boolean;
}

export const makeBlockedCommand = (): Command =>
  new Command('blocked').addCommand(
    new Command('list')
      .description('The blocked items: until when, who and why.')
      .option('--json', 'print JSON')
      .addOption(controlProfileOption())
      .addHelpText('after', '\nExample:\n  $ npx earshot blocked list')
      .action(async (_options: unknown, own: Command) => list(own.optsWithGlobals())),
  );

async function list(flags: Flags): Promise<void> {
  await withControl(flags, async (control) => {
    const nowMs = control.retries.clock.now();
    const notes = [...(await readBlocked(control, flags)).values()].filter(({ untilMs = Infinity }) => nowMs < untilMs);
    if (flags.json) process.stdout.write(`${JSON.stringify({ items: notes })}\n`);
    else if (notes.length === 0) process.stdout.write('no item is blocked\n');
    else process.stdout.write(formatTable([['item', 'until', 'since', 'by', 'why'], ...notes.map(toRow)]));
  });
}

const toRow = ({ id, untilMs, atMs, by, why }: BlockNote): string[] => [
  id,
  untilMs === undefined ? 'unblocked' : new Date(untilMs).toISOString(),
  new Date(atMs).toISOString(),
  by,
  why,
];
