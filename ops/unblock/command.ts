// `earshot unblock`: answers may hold an item again.
import { Command } from 'commander';
import { MAX_BLOCKED_ITEMS } from '../../shared/domain/effects/block-list.ts';
import { asOption, dryRunOption, whyOption } from '../cli/arguments.ts';
import { type ControlFlags, controlProfileOption, withControl } from '../cli/control.ts';
import { formatPlural } from '../cli/format.ts';
import { readIds } from '../cli/id-arguments.ts';
import { confirmWrite } from '../cli/write-target.ts';
import { changeBlocked } from '../effects/block-changes.ts';

interface Flags extends ControlFlags {
  readonly file?: string;
  readonly why?: string;
  readonly as?: string;
  readonly dryRun?: boolean;
}

export const makeUnblockCommand = (): Command =>
  new Command('unblock').addCommand(
    new Command('item')
      .description('Answers may hold these items again.')
      .argument('[item...]', 'ids of items')
      .option('--file <path>', 'a file with one id a line; - is standard input')
      .addOption(asOption())
      .addOption(whyOption())
      .addOption(dryRunOption())
      .addOption(controlProfileOption())
      .addHelpText('after', '\nExample:\n  $ npx earshot unblock item artist:51 --why "the licence is renewed"')
      .action(async (items: string[], _options: unknown, own: Command) => unblock(items, own.optsWithGlobals())),
  );

/** Throws an Error for an item that is not blocked. */
async function unblock(given: readonly string[], flags: Flags): Promise<void> {
  const ids = readIds(given, flags, MAX_BLOCKED_ITEMS);
  await confirmWrite(flags);
  await withControl(flags, async (control) => {
    const count = await changeBlocked(control, flags, {
      what: `unblock ${formatPlural(ids.length, 'item')}`,
      apply: (notes) => {
        for (const id of ids) if (!notes.delete(id)) throw new Error(`expected a blocked item, got ${id}`);
      },
    });
    const words = flags.dryRun ? 'would be unblocked' : 'unblocked';
    process.stdout.write(
      `${formatPlural(ids.length, 'item')} ${words}; ${formatPlural(count, 'item')} blocked still\n`,
    );
  });
}
