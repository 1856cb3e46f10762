// `earshot manifest`: shows the live version and earlier ones, and restores one.
import { Command, InvalidArgumentError } from 'commander';
import { MAX_MANIFEST_VERSION } from '../../shared/domain/manifest.ts';
import { dryRunOption, whyOption } from '../cli/arguments.ts';
import { controlProfileOption } from '../cli/control.ts';
import { diff, history, show } from './read-versions.ts';
import { restore } from './restore.ts';

export const makeManifestCommand = (): Command =>
  new Command('manifest')
    .addCommand(makeShow())
    .addCommand(makeHistory())
    .addCommand(makeDiff())
    .addCommand(makeRestore());

const makeShow = (): Command =>
  new Command('show')
    .description('Shows the variants and generations of each surface, with their shares of the listeners.')
    .argument('[version]', 'a version that the table keeps (default: the live one)', parseVersion)
    .option('--json', 'print the stored manifest')
    .addOption(controlProfileOption())
    .addHelpText('after', '\nExamples:\n  $ npx earshot manifest show --json\n  $ npx earshot manifest show 17')
    .action(async (version: number | undefined, _options: unknown, command: Command) =>
      show(version, command.optsWithGlobals()),
    );

const makeHistory = (): Command =>
  new Command('history')
    .description('Lists the versions that the table keeps, newest first, each with its command, author and reason.')
    .option('--json', 'print JSON')
    .addOption(controlProfileOption())
    .addHelpText('after', '\nExample:\n  $ npx earshot manifest history')
    .action(async (_options: unknown, command: Command) => history(command.optsWithGlobals()));

const makeDiff = (): Command =>
  new Command('diff')
    .description('Shows the values that differ between two versions that the table keeps.')
    .argument('<from>', 'a version', parseVersion)
    .argument('<to>', 'another version', parseVersion)
    .addOption(controlProfileOption())
    .addHelpText('after', '\nExample:\n  $ npx earshot manifest diff 16 17')
    .action(async (from: number, to: number, _options: unknown, command: Command) =>
      diff(from, to, command.optsWithGlobals()),
    );

const restoreHelp = `
The contents of the version become live as a new version, higher than every one that the table keeps or an
origin serves: versions never go back. Users that were erased since stay erased. It also repairs a row that
is broken, deleted or set back.

Examples:
  $ npx earshot manifest restore 16 --why "17 has the wrong weights" --dry-run
  $ npx earshot manifest restore 16 --from saved.json --why "the row was deleted"`;

const makeRestore = (): Command =>
  new Command('restore')
    .description('Makes the contents of an earlier version live again, as a new version.')
    .argument('<version>', 'a version that the table keeps, or that an origin serves', parseVersion)
    .addOption(whyOption().makeOptionMandatory())
    .option('--from <file>', 'take the version from this output of `npx earshot manifest show --json`')
    .option('--force', 'restore even generations whose lists are missing')
    .addOption(dryRunOption())
    .addOption(controlProfileOption())
    .addHelpText('after', restoreHelp)
    .action(async (version: number, _options: unknown, command: Command) =>
      restore(version, command.optsWithGlobals()),
    );

function parseVersion(text: string): number {
  if (/^\d{1,10}$/.test(text) && Number(text) <= MAX_MANIFEST_VERSION) return Number(text);
  throw new InvalidArgumentError(`expected a whole number from 0 to ${MAX_MANIFEST_VERSION}.`);
}
