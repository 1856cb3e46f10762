// Entry of the embedded Bigtable's process: `node dev/bigtable/main.ts [--port 8086] [--replication-lag-ms 50]
// [--control-port N] [--journal FILE]`.
import { parseArgs } from 'node:util';
import { type BigtableOptions, startBigtable } from './server.ts';

function parseOptions(args: readonly string[]): BigtableOptions {
  const { values } = parseArgs({
    args: [...args],
    options: {
      port: { type: 'string', default: '8086' },
      'replication-lag-ms': { type: 'string', default: '50' },
      'control-port': { type: 'string' },
      journal: { type: 'string' },
    },
  });
  const options: BigtableOptions = {
    port: integer('--port', values.port, 65_535),
    replicationLagMs: integer('--replication-lag-ms', values['replication-lag-ms'], 3_600_000),
  };
  const controlPort = values['control-port'];
  if (controlPort !== undefined) options.controlPort = integer('--control-port', controlPort, 65_535);
  if (values.journal !== undefined) options.journal = values.journal;
  return options;
}

function integer(name: string, text: string, max: number): number {
  const value = Number(text);
  if (/^\d+$/.test(text) && value <= max) return value;
  throw new Error(`expected ${name} to be a whole number from 0 to ${max}, got '${text}'`);
}

function fail(error: unknown, exitCode: number): never {
  // Messages of parseArgs have several lines; the first one states the error.
  console.error(`bigtable: ${error instanceof Error ? error.message.split('\n')[0] : String(error)}`);
  process.exit(exitCode);
}

let options: BigtableOptions;
try {
  options = parseOptions(process.argv.slice(2));
} catch (error) {
  fail(error, 2);
}
const bigtable = await startBigtable(options).catch((error: unknown) => fail(error, 1));
for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  process.once(signal, () => {
    void bigtable.close().then(() => process.exit(0));
  });
}

const control = bigtable.controlPort === undefined ? '' : `, control on http://127.0.0.1:${bigtable.controlPort}`;
console.log(`embedded Bigtable listening on ${bigtable.endpoint}${control}`);
