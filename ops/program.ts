// The `earshot` command. The code of a subcommand is loaded only for a call that names it: start-up is most of the time
// of a short command. ops/cli/exit-codes.ts has the exit codes.
import { Command, CommanderError } from 'commander';
import packageJson from '../package.json' with { type: 'json' };
import { EXIT, ExitError } from './cli/exit-codes.ts';
import { UsageError } from './cli/usage-error.ts';

interface Subcommand {
  readonly name: string;
  readonly description: string;
  readonly load: () => Promise<() => Command>;
}

const SUBCOMMANDS: readonly Subcommand[] = [
  {
    name: 'schema',
    description: 'The tables and app profiles in Bigtable.',
    load: async () => (await import('./schema/command.ts')).makeSchemaCommand,
  },
  {
    name: 'ingest',
    description: 'Loads files of lists or items into Bigtable. Lists are live only after `npx earshot publish`.',
    load: async () => (await import('./ingest/command.ts')).makeIngestCommand,
  },
  {
    name: 'sample',
    description: 'Synthetic lists of any size, to try loads and to measure them.',
    load: async () => (await import('./sample/command.ts')).makeSampleCommand,
  },
  {
    name: 'export-dataflow',
    description: 'Lists as files for Google Dataflow, or as SQL for BigQuery: for loads by another engine.',
    load: async () => (await import('./export-dataflow/command.ts')).makeExportDataflowCommand,
  },
  {
    name: 'check',
    description: 'Compares a loaded release with the live one, in every region. It changes nothing.',
    load: async () => (await import('./check/command.ts')).makeCheckCommand,
  },
  {
    name: 'publish',
    description: 'Makes a loaded release live: gate, and if asked warm-up, canary and ramp.',
    load: async () => (await import('./publish/command.ts')).makePublishCommand,
  },
  {
    name: 'rollback',
    description: 'Goes back to an earlier release at once, or out of a canary.',
    load: async () => (await import('./rollback/command.ts')).makeRollbackCommand,
  },
  {
    name: 'ramp',
    description: 'Steers a running ramp: pause, resume, finish, or another duration.',
    load: async () => (await import('./ramp/command.ts')).makeRampCommand,
  },
  {
    name: 'releases',
    description: 'The releases of a surface, or of all, with their states.',
    load: async () => (await import('./releases/command.ts')).makeReleasesCommand,
  },
  {
    name: 'release',
    description: 'One release: its record, and how to adopt or block it, or to delete its lists.',
    load: async () => (await import('./release/command.ts')).makeReleaseCommand,
  },
  {
    name: 'history',
    description: 'Every transition of the releases of a surface: when, who and why.',
    load: async () => (await import('./history/command.ts')).makeHistoryCommand,
  },
  {
    name: 'region',
    description: 'Marks a region that is out, and restores it.',
    load: async () => (await import('./region/command.ts')).makeRegionCommand,
  },
  {
    name: 'doctor',
    description: 'Looks at a whole deployment, and says what to do about each fault. It changes nothing.',
    load: async () => (await import('./doctor/command.ts')).makeDoctorCommand,
  },
  {
    name: 'size',
    description: 'How many objects, origins and nodes a workload needs, and what they cost.',
    load: async () => (await import('./size/command.ts')).makeSizeCommand,
  },
  {
    name: 'weight',
    description: "Changes the shares of a surface's variants, and nothing else.",
    load: async () => (await import('./weight/command.ts')).makeWeightCommand,
  },
  {
    name: 'experiment',
    description: 'Experiments: who sees which variant, and how to change it.',
    load: async () => (await import('./experiment/command.ts')).makeExperimentCommand,
  },
  {
    name: 'exposures',
    description: 'The exposures of experiments: how to export them.',
    load: async () => (await import('./exposures/command.ts')).makeExposuresCommand,
  },
  {
    name: 'layer',
    description: 'The layers of experiments, and what is free in each.',
    load: async () => (await import('./layer/command.ts')).makeLayerCommand,
  },
  {
    name: 'variant',
    description: 'The variants of a surface: how to remove one.',
    load: async () => (await import('./variant/command.ts')).makeVariantCommand,
  },
  {
    name: 'surface',
    description: 'The surfaces of the manifest: how to remove one, and to set the bounds of its checks.',
    load: async () => (await import('./surface/command.ts')).makeSurfaceCommand,
  },
  {
    name: 'manifest',
    description: 'The manifest: what is live, and what was.',
    load: async () => (await import('./manifest/command.ts')).makeManifestCommand,
  },
  {
    name: 'erase',
    description: 'Deletes whatever is kept of users, and outlaws what caches hold of them.',
    load: async () => (await import('./erase/command.ts')).makeEraseCommand,
  },
  {
    name: 'erasures',
    description: 'The erasures: their states, and until when each is remembered.',
    load: async () => (await import('./erasures/command.ts')).makeErasuresCommand,
  },
  {
    name: 'recovery',
    description: 'The way back from a lost instance: what a backup lacks, and how a restored instance gets it.',
    load: async () => (await import('./recovery/command.ts')).makeRecoveryCommand,
  },
  {
    name: 'keep-out',
    description: 'The users whose lines loads drop.',
    load: async () => (await import('./keep-out/command.ts')).makeKeepOutCommand,
  },
  {
    name: 'block',
    description: 'Takes items out of all answers.',
    load: async () => (await import('./block/command.ts')).makeBlockCommand,
  },
  {
    name: 'unblock',
    description: 'Lets answers hold blocked items again.',
    load: async () => (await import('./unblock/command.ts')).makeUnblockCommand,
  },
  {
    name: 'blocked',
    description: 'The blocked items: until when, who and why.',
    load: async () => (await import('./blocked/command.ts')).makeBlockedCommand,
  },
  {
    name: 'switch',
    description: 'Turns a tier, hedging, a region or a surface off, or down, for some hours.',
    load: async () => (await import('./switch/command.ts')).makeSwitchCommand,
  },
  {
    name: 'token',
    description: 'Prints a token for an edge with a shared secret: the local cloud, or EARSHOT_TOKEN_SECRET.',
    load: async () => (await import('./token/command.ts')).makeTokenCommand,
  },
  {
    name: 'status',
    description:
      'Shows the regions as the edge of the local cloud sees them, the hit ratio of each tier, and the origins.',
    load: async () => (await import('./status/command.ts')).makeStatusCommand,
  },
  {
    name: 'fault',
    description: 'Injects a fault into the local cloud, heals it, or shows the faults.',
    load: async () => (await import('./fault/command.ts')).makeFaultCommand,
  },
];

/** Runs one call of the command, for example `['publish', '--surface', 'home', ...]`. Returns the exit code. */
export async function runEarshot(args: readonly string[]): Promise<number> {
  try {
    const program = await makeProgram(args);
    await program.parseAsync(args, { from: 'user' });
    return EXIT.done;
  } catch (error) {
    return report(error);
  }
}

/** The program with the whole subcommands that `args` may name. The others have a name and a description only. */
async function makeProgram(args: readonly string[]): Promise<Command> {
  const program = new Command('earshot')
    .description('Loads recommendations into Bigtable, makes them live, and watches them.')
    .version(packageJson.version)
    .option('--project <id>', 'Google Cloud project (or EARSHOT_PROJECT)')
    .option('--instance <id>', 'Bigtable instance (or EARSHOT_INSTANCE)')
    .option('--yes', 'write to Cloud Bigtable without a question on a terminal');
  for (const { name, description, load } of SUBCOMMANDS) {
    const make = args.includes(name) ? await load() : () => new Command(name);
    program.addCommand(make().description(description));
  }
  throwInsteadOfExit(program);
  return program;
}

/** Commander has printed its own errors. */
function report(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.done : EXIT.usage;
  process.stderr.write(`earshot: ${error instanceof Error ? error.message : String(error)}\n`);
  if (error instanceof ExitError) return error.exitCode;
  return error instanceof UsageError ? EXIT.usage : EXIT.failed;
}

/** Subcommands do not inherit these settings later. */
function throwInsteadOfExit(command: Command): void {
  command.exitOverride().showHelpAfterError('(--help shows the options)');
  for (const child of command.commands) throwInsteadOfExit(child);
}
