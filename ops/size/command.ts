// `earshot size`: from users, reads and bytes to isolates, objects, origins, nodes and costs. It asks no system.
import { readFileSync } from 'node:fs';
import { Command, InvalidArgumentError } from 'commander';
import { refuseConnection } from '../cli/arguments.ts';
import { UsageError } from '../cli/usage-error.ts';
import { describeCosts, describeSize } from './describe-size.ts';
import { TRACE } from './figures.ts';
import { computeCosts, type Prices, pricesSchema } from './prices.ts';
import { computeSize, type Workload } from './sizing.ts';

interface Flags extends Workload {
  readonly prices?: string;
  readonly json?: boolean;
}

const DEFAULT_REGIONS = 'asia=0.3,europe=0.4,us=0.3';
const MAX_COUNT = 1e12;

const help = `
The defaults of the shares are those of a recorded trace. \`npx earshot status\` and the metrics tell yours.
docs/sizing.md has the formulae. examples/sizing has a file of prices.

Examples:
  $ npx earshot size --users 50000000 --reads-per-second 100000
  $ npx earshot size --users 50000000 --reads-per-second 100000 --prices examples/sizing/prices.json`;

export const makeSizeCommand = (): Command =>
  new Command('size')
    .requiredOption('--users <count>', 'users with lists', parseNumber(1, MAX_COUNT))
    .requiredOption('--reads-per-second <count>', 'reads of lists at the peak of the day', parseNumber(1, MAX_COUNT))
    .option('--lists-per-user <count>', 'variants of all surfaces that are loaded', parseNumber(1, 1_000), 1)
    .option('--list-bytes <bytes>', 'mean bytes of a list', parseNumber(1, 1_000_000), 1_400)
    .option('--mean-share <share>', 'mean reads over those of the peak', parseNumber(0.01, 1), 0.5)
    .option('--edge-hits <share>', 'reads that isolates and data centres answer', parseNumber(0, 1), TRACE.edgeHits)
    .option('--rows-per-read <share>', 'reads that read Bigtable', parseNumber(0, 1), round(TRACE.rowsPerRead))
    .option('--load-hours <hours>', 'time for the lists of a day', parseNumber(0.01, 24), 3)
    .option('--regions <shares>', 'reads of each region', parseRegions, parseRegions(DEFAULT_REGIONS))
    .option('--prices <file>', 'list prices as JSON; without it there are no costs')
    .option('--json', 'print JSON')
    .addHelpText('after', help)
    .action((_options: unknown, command: Command) => {
      refuseConnection(command);
      run(command.optsWithGlobals());
    });

function run({ prices: path, json, ...workload }: Flags): void {
  if (workload.rowsPerRead > 1 - workload.edgeHits)
    throw new UsageError(
      `expected --rows-per-read to be at most 1 minus --edge-hits, got ${workload.rowsPerRead} and ${workload.edgeHits}`,
    );
  const size = computeSize(workload);
  const prices = path === undefined ? undefined : readPrices(path);
  const costs = prices === undefined ? undefined : computeCosts(workload, size, prices);
  if (json) process.stdout.write(`${JSON.stringify({ size, costs }, undefined, 2)}\n`);
  else {
    process.stdout.write(describeSize(workload, size));
    if (costs !== undefined && prices !== undefined)
      process.stdout.write(`\n${describeCosts(workload, costs, prices)}`);
  }
}

/** Throws a UsageError that names the file and the first wrong member. */
function readPrices(path: string): Prices {
  let value: unknown;
  try {
    value = JSON.parse(readFileSync(path, 'utf8'));
  } catch (error) {
    throw new UsageError(`expected a file of prices as JSON, got ${path}: ${(error as Error).message}`);
  }
  const { success, data, error } = pricesSchema.safeParse(value);
  if (success) return data;
  const [issue] = error.issues;
  throw new UsageError(`${path}: ${issue?.path.join('.') || 'the file'}: ${issue?.message}`);
}

function parseNumber(min: number, max: number) {
  return (text: string): number => {
    const value = Number(text);
    if (/^\d+(\.\d+)?$/.test(text) && value >= min && value <= max) return value;
    throw new InvalidArgumentError(`expected a number from ${min} to ${max}.`);
  };
}

/** `asia=0.3,europe=0.4,us=0.3`. */
function parseRegions(text: string): Workload['regions'] {
  const pairs = text.split(',').map((pair) => /^([a-z][a-z0-9-]*)=(\d(?:\.\d+)?)$/.exec(pair));
  const shares = new Map(pairs.map((pair) => [pair?.[1] ?? '', Number(pair?.[2])]));
  const sum = [...shares.values()].reduce((total, share) => total + share, 0);
  if (!pairs.includes(null) && shares.size === pairs.length && Math.abs(sum - 1) < 1e-6) return shares;
  throw new InvalidArgumentError(`expected shares that add up to 1, for example ${DEFAULT_REGIONS}.`);
}

const round = (value: number): number => Number(value.toFixed(3));
