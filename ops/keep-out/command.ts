// `earshot keep-out`: the users whose lines loads drop.
import { Command } from 'commander';
import { type ControlFlags, controlProfileOption, withControl } from '../cli/control.ts';
import { formatPlural, formatTable } from '../cli/format.ts';
import { readIds } from '../cli/id-arguments.ts';
import { findUserRef } from '../cli/user-ref.ts';
import { confirmWrite } from '../cli/write-target.ts';
import { MAX_KEPT_OUT, readKeepOut, removeFromKeepOut } from '../effects/keep-out.ts';

interface Flags extends ControlFlags {
  readonly file?: string;
  readonly json?: boolean;
}

export const makeKeepOutCommand = (): Command =>
  new Command('keep-out')
    .addCommand(
      new Command('list')
        .description('The users that are kept out, by reference: since when, who and why.')
        .option('--json', 'print JSON')
        .addOption(controlProfileOption())
        .addHelpText('after', '\nExample:\n  $ npx earshot keep-out list')
        .action(async (_options: unknown, own: Command) => list(own.optsWithGlobals())),
    )
    .addCommand(
      new Command('remove')
        .description('Loads have the lines of these users again.')
        .argument('[user...]', 'ids of users')
        .option('--file <path>', 'a file with one id a line; - is standard input')
        .addOption(controlProfileOption())
        .addHelpText('after', '\nExample:\n  $ npx earshot keep-out remove lastfm:2')
        .action(async (users: string[], _options: unknown, own: Command) => remove(users, own.optsWithGlobals())),
    );

async function list(flags: Flags): Promise<void> {
  await withControl(flags, async (control) => {
    const users = [...(await readKeepOut(control))];
    if (flags.json) process.stdout.write(`${JSON.stringify({ users: Object.fromEntries(users) })}\n`);
    else if (users.length === 0) process.stdout.write('no user is kept out\n');
    else
      process.stdout.write(
        formatTable([
          ['reference', 'since', 'by', 'why'],
          ...users.map(([ref, { atMs, by, why }]) => [ref, new Date(atMs).toISOString(), by, why]),
        ]),
      );
  });
}

async function remove(given: readonly string[], flags: Flags): Promise<void> {
  const users = readIds(given, flags, MAX_KEPT_OUT);
  const userRef = findUserRef(flags);
  await confirmWrite(flags);
  await withControl(flags, async (control) => {
    const removed = await removeFromKeepOut(control, users.map(userRef));
    process.stdout.write(`${formatPlural(removed, 'user')} no longer kept out\n`);
  });
}
