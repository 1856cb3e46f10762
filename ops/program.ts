// The `earshot` command. Exit codes: 0 done, 1 failed or partial (the message says which), 2 usage error.
import { Command, CommanderError } from 'commander';
import packageJson from '../package.json' with { type: 'json' };
import { UsageError } from './cli/usage-error.ts';
import { makeFaultCommand } from './fault/command.ts';
import { makeIngestCommand } from './ingest/command.ts';
import { makeManifestCommand } from './manifest/command.ts';
import { makePublishCommand } from './publish/command.ts';
import { makeSchemaCommand } from './schema/command.ts';
import { makeStatusCommand } from './status/command.ts';
import { makeSurfaceCommand } from './surface/command.ts';
import { makeTokenCommand } from './token/command.ts';
import { makeVariantCommand } from './variant/command.ts';
import { makeWeightCommand } from './weight/command.ts';

const EXIT_FAILED = 1;
const EXIT_USAGE = 2;

/** Runs one call of the command, for example `['publish', '--surface', 'home', ...]`. Returns the exit code. */
export async function runEarshot(args: readonly string[]): Promise<number> {
  try {
    await makeProgram().parseAsync(args, { from: 'user' });
    return 0;
  } catch (error) {
    return report(error);
  }
}

function makeProgram(): Command {
  const program = new Command('earshot')
    .description('Loads recommendations into Bigtable, makes them live, and watches them.')
    .version(packageJson.version)
    .option('--project <id>', 'Google Cloud project (or EARSHOT_PROJECT)')
    .option('--instance <id>', 'Bigtable instance (or EARSHOT_INSTANCE)');
  for (const make of [
    makeSchemaCommand,
    makeIngestCommand,
    makePublishCommand,
    makeWeightCommand,
    makeVariantCommand,
    makeSurfaceCommand,
    makeManifestCommand,
    makeTokenCommand,
    makeStatusCommand,
    makeFaultCommand,
  ]) {
    program.addCommand(make());
  }
  throwInsteadOfExit(program);
  return program;
}

/** Commander has printed its own errors. */
function report(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : EXIT_USAGE;
  process.stderr.write(`earshot: ${error instanceof Error ? error.message : String(error)}\n`);
  return error instanceof UsageError ? EXIT_USAGE : EXIT_FAILED;
}

/** Subcommands do not inherit these settings later. */
function throwInsteadOfExit(command: Command): void {
  command.exitOverride().showHelpAfterError('(--help shows the options)');
  for (const child of command.commands) throwInsteadOfExit(child);
}
