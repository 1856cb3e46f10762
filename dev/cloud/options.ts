// What `npm start --` takes.
import { Command, CommanderError, InvalidArgumentError } from 'commander';
import { stateDirectory } from '../../ops/cli/settings.ts';
import { BEHIND_PORT_OFFSET, DEFAULT_PORTS, type Ports } from '../topology.ts';

export interface StartOptions {
  /** Directory with the data to load. Default: the built-in sample. */
  readonly data: string | undefined;
  readonly detach: boolean;
  /** Whether calls to the regions take as long as they would over the distance. */
  readonly wan: boolean;
  readonly ports: Ports;
  /** Where everything that is written goes. */
  readonly stateDirectory: string;
}

const help = `
BIGTABLE_EMULATOR_HOST set: Google's own emulator is used instead of the embedded Bigtable.
EARSHOT_PROJECT and EARSHOT_INSTANCE set, and no emulator: Bigtable itself, into which only --data is loaded.
EARSHOT_STATE_DIR: where everything that is written goes (default: .earshot). Only with the default the root gets a
.dev.vars, with which \`npx wrangler dev\` serves from this cloud, too.

Examples:
  $ npm start
  $ npm start -- --data path/to/data
  $ npm start -- --detach && npm stop`;

/** The options; undefined when help was asked for. Throws an Error for arguments that are not valid. */
export function parseStartOptions(args: readonly string[]): StartOptions | undefined {
  const command = new Command('npm start --')
    .description('Runs all of Earshot on this machine: Bigtable with three clusters, three origins, and the worker.')
    .option(
      '--data <directory>',
      'load surface.variant.ndjson[.gz] and items.ndjson[.gz] from here (default: a built-in sample)',
    )
    .option('--detach', 'return when all is ready; `npm stop` ends it')
    .option('--wan', 'make the way to each region as long as it is from where the caller says it is')
    .option('--edge-port <port>', 'port of the worker', parsePort, DEFAULT_PORTS.edge)
    .option(
      '--origin-port <port>',
      `first of three ports in a row for the ways to the origins, which listen ${BEHIND_PORT_OFFSET} above`,
      parsePort,
      DEFAULT_PORTS.origins,
    )
    .option(
      '--bigtable-port <port>',
      `port of the embedded Bigtable, whose control is ${BEHIND_PORT_OFFSET} above`,
      parsePort,
      DEFAULT_PORTS.bigtable,
    )
    .addHelpText('after', help)
    .configureOutput({ writeErr: () => undefined })
    .exitOverride();
  try {
    command.parse(args, { from: 'user' });
  } catch (error) {
    if (error instanceof CommanderError && error.exitCode === 0) return undefined;
    throw error;
  }
  const flags = command.opts<{
    data?: string;
    detach?: boolean;
    wan?: boolean;
    edgePort: number;
    originPort: number;
    bigtablePort: number;
  }>();
  return {
    data: flags.data,
    detach: flags.detach ?? false,
    wan: flags.wan ?? false,
    ports: { edge: flags.edgePort, origins: flags.originPort, bigtable: flags.bigtablePort },
    stateDirectory: stateDirectory(),
  };
}

/** With the two after it, and what is behind those. */
const MAX_PORT = 65_535 - 2 - BEHIND_PORT_OFFSET;

function parsePort(text: string): number {
  const port = Number(text);
  if (/^\d+$/.test(text) && port >= 1 && port <= MAX_PORT) return port;
  throw new InvalidArgumentError(`expected a port from 1 to ${MAX_PORT}.`);
}
