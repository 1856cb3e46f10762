// Command-line options of `npm start`.
import { Command, CommanderError, InvalidArgumentError } from 'commander';
import { stateDirectory } from '../../ops/cli/settings.ts';
import type { RealInstance } from '../backend.ts';
import { BEHIND_PORT_OFFSET, DEFAULT_PORTS, METRICS_PORT_OFFSET, type Ports } from '../topology.ts';

export interface StartOptions {
  /** Directory with the data to load. Default: the built-in sample. */
  readonly data: string | undefined;
  readonly detach: boolean;
  /** Whether calls to a region are delayed by the round-trip time of the distance. */
  readonly wan: boolean;
  /** Web origins whose pages may read answers in a browser. */
  readonly cors: readonly string[];
  /** `true`: to the cloud's own collector; a text: to the one at this base address. Default: nothing is recorded. */
  readonly traces: true | string | undefined;
  /** The real instance to use instead of the embedded Bigtable. */
  readonly real: RealInstance | undefined;
  readonly ports: Ports;
  /** Directory for all files of the cloud. */
  readonly stateDirectory: string;
}

const help = `
BIGTABLE_EMULATOR_HOST: use Google's emulator instead of the embedded Bigtable.
EARSHOT_CLUSTERS, with --real: the instance's cluster by region, as region=cluster,region=cluster.
EARSHOT_STATE_DIR: directory for all files of the cloud (default: .earshot). With the default directory, the cloud
also writes .dev.vars in the root, and \`npx wrangler dev\` serves from the cloud.

Examples:
  $ npm start
  $ npm start -- --data path/to/data
  $ npm start -- --detach && npm stop
  $ npm start -- --cors http://127.0.0.1:8090`;

/** The options; undefined after --help. Throws an Error for invalid arguments. */
export function parseStartOptions(args: readonly string[]): StartOptions | undefined {
  const command = new Command('npm start --')
    .description('Runs Earshot on this machine: Bigtable with three clusters, three origins, and the worker.')
    .option(
      '--data <directory>',
      'load surface.variant.ndjson[.gz] and items.ndjson[.gz] from this directory (default: a built-in sample)',
    )
    .option('--detach', 'return when the cloud is ready; `npm stop` ends it')
    .option('--wan', "delay calls to each region by the round trip from the caller's Earshot-Dev-Location")
    .option(
      '--cors <origin>',
      'allow pages of this web origin to read answers in a browser; repeatable',
      parseOrigin,
      [],
    )
    .option(
      '--traces [url]',
      'record every request; to a collector at this base address (default: one that shows them)',
      parseCollector,
    )
    .option('--real <project/instance>', 'use this instance of Cloud Bigtable, and write --data into it', parseInstance)
    .option('--edge-port <port>', 'port of the worker', parsePort, DEFAULT_PORTS.edge)
    .option(
      '--origin-port <port>',
      "first of three ports for the region proxies; each origin uses its proxy's port " +
        `+ ${BEHIND_PORT_OFFSET}, and + ${METRICS_PORT_OFFSET} for its metrics`,
      parsePort,
      DEFAULT_PORTS.origins,
    )
    .option(
      '--bigtable-port <port>',
      `port of the embedded Bigtable; its control port is this port + ${BEHIND_PORT_OFFSET}`,
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
    cors: readonly string[];
    traces?: true | string;
    real?: RealInstance;
    edgePort: number;
    originPort: number;
    bigtablePort: number;
  }>();
  return {
    data: flags.data,
    detach: flags.detach ?? false,
    wan: flags.wan ?? false,
    cors: flags.cors,
    traces: flags.traces,
    real: flags.real,
    ports: { edge: flags.edgePort, origins: flags.originPort, bigtable: flags.bigtablePort },
    stateDirectory: stateDirectory(),
  };
}

/** Leaves room for the next two ports and for the offset of the ports behind them. */
const MAX_PORT = 65_535 - 2 - METRICS_PORT_OFFSET;

function parseOrigin(text: string, others: readonly string[]): readonly string[] {
  if (/^https?:/.test(text) && URL.canParse(text) && new URL(text).origin === text) return [...others, text];
  throw new InvalidArgumentError('expected an origin like http://127.0.0.1:8090.');
}

function parseCollector(text: string): string {
  if (/^https?:/.test(text) && URL.canParse(text)) return text.replace(/\/+$/, '');
  throw new InvalidArgumentError('expected an address like http://127.0.0.1:4318.');
}

function parseInstance(text: string): RealInstance {
  const [, project, instance] = /^([a-z][a-z0-9:.-]{4,62})\/([a-z][a-z0-9-]{4,31}[a-z0-9])$/.exec(text) ?? [];
  if (project !== undefined && instance !== undefined) return { project, instance };
  throw new InvalidArgumentError('expected PROJECT/INSTANCE, for example my-project/recommendations.');
}

function parsePort(text: string): number {
  const port = Number(text);
  if (/^\d+$/.test(text) && port >= 1 && port <= MAX_PORT) return port;
  throw new InvalidArgumentError(`expected a port from 1 to ${MAX_PORT}.`);
}
