// `earshot block`: an item that no answer may hold any more.
import { Command } from 'commander';
import { MAX_BLOCKED_ITEMS } from '../../shared/domain/effects/block-list.ts';
import { asOption, dryRunOption, parseMoment, whyOption } from '../cli/arguments.ts';
import { type ControlFlags, controlProfileOption, withControl } from '../cli/control.ts';
import { formatPlural } from '../cli/format.ts';
import { readIds } from '../cli/id-arguments.ts';
import { UsageError } from '../cli/usage-error.ts';
import { confirmWrite } from '../cli/write-target.ts';
import { changeBlocked } from '../effects/block-changes.ts';

interface Flags extends ControlFlags {
  readonly file?: string;
  readonly until?: number;
  readonly why?: string;
  readonly as?: string;
  readonly dryRun?: boolean;
}

const help = `
Within 12 s no answer holds the item: no personal, popular, expanded, previous or stale list. An answer has as many
items as before, as long as its stored list has others. Devices may show an answer for DEVICE_MAX_AGE_SECONDS more.

Examples:
  $ npx earshot block item artist:51 --why "the licence has ended"
  $ npx earshot block item --file items.txt --until 2026-12-24T00:00:00Z --why "an embargo"`;

export const makeBlockCommand = (): Command =>
  new Command('block').addCommand(
    new Command('item')
      .description('No answer holds these items from now on.')
      .argument('[item...]', 'ids of items')
      .option('--file <path>', 'a file with one id a line; - is standard input')
      .option('--until <moment>', 'when the block ends by itself (default: never)', parseMoment)
      .addOption(asOption())
      .addOption(whyOption().makeOptionMandatory())
      .addOption(dryRunOption())
      .addOption(controlProfileOption())
      .addHelpText('after', help)
      .action(async (items: string[], _options: unknown, own: Command) => block(items, own.optsWithGlobals())),
  );

async function block(given: readonly string[], flags: Flags): Promise<void> {
  const ids = readIds(given, flags, MAX_BLOCKED_ITEMS);
  const { until: untilMs, why = '' } = flags;
  if (why.trim() === '') throw new UsageError('expected --why to have the reason, got an empty text');
  await confirmWrite(flags);
  await withControl(flags, async (control) => {
    if (untilMs !== undefined && untilMs <= control.retries.clock.now())
      throw new UsageError(`expected --until to be later than now, got ${new Date(untilMs).toISOString()}`);
    const count = await changeBlocked(control, flags, {
      what: `block ${formatPlural(ids.length, 'item')}`,
      apply: (notes, atMs, by) => {
        for (const id of ids) if (!isSame(notes.get(id), untilMs)) notes.set(id, { id, untilMs, atMs, by, why });
      },
    });
    const words = flags.dryRun ? 'would be blocked' : 'blocked';
    process.stdout.write(`${formatPlural(ids.length, 'item')} ${words}; ${formatPlural(count, 'item')} in all\n`);
  });
}

const isSame = (note: { readonly untilMs?: number | undefined } | undefined, untilMs: number | undefined): boolean =>
  note !== undefined && note.untilMs === untilMs;
