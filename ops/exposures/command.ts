// `earshot exposures export`: the exposures of the archive, each once, as NDJSON.
import { Command } from 'commander';
import { parseMoment } from '../cli/arguments.ts';
import { formatPlural } from '../cli/format.ts';
import { createJsonFile } from '../files/json-file.ts';
import { createOutput, STANDARD_OUTPUT } from '../files/output.ts';
import { dropRepeats } from './drop-repeats.ts';
import { type ArchiveFlags, findArchive, readArchive } from './read-archive.ts';

interface Flags extends ArchiveFlags {
  readonly since: number;
  readonly until?: number;
  readonly out?: string;
}

const help = `
An exposure that was reported several times stands there once. Users are references, not ids.
--out replaces the file when the export is whole, and only its owner can read it.

Examples:
  $ npx earshot exposures export --since 2026-11-30T00:00:00Z --out exposures.ndjson
  $ EARSHOT_TOKEN=... npx earshot exposures export --edge https://recs.example.com --since 2026-11-30T00:00:00Z`;

export const makeExposuresCommand = (): Command =>
  new Command('exposures').addCommand(
    new Command('export')
      .description('The exposures of the archive, each once, as NDJSON.')
      .requiredOption('--since <moment>', 'the first moment', parseMoment)
      .option('--until <moment>', 'the moment behind the last (default: now)', parseMoment)
      .option('--out <file>', 'write to the file instead of standard output')
      .option('--edge <url>', 'base URL of the worker (or EARSHOT_EDGE_URL; default: the local cloud)')
      .addHelpText('after', help)
      .action(async (_options: unknown, own: Command) => exportAll(own.optsWithGlobals())),
  );

async function exportAll(flags: Flags): Promise<void> {
  const { since: sinceMs, until: untilMs = Date.now(), out } = flags;
  const target = await findArchive(flags);
  const file = createJsonFile(out === undefined ? STANDARD_OUTPUT : await createOutput(out));
  let count = 0;
  try {
    for await (const exposure of dropRepeats(readArchive(target, { sinceMs, untilMs }))) {
      count += 1;
      await file.add(exposure);
    }
    await file.end();
  } catch (error) {
    await file.abandon();
    throw error;
  }
  // Beside the lines themselves, the count would not be NDJSON.
  const about = out === undefined ? process.stderr : process.stdout;
  about.write(`${formatPlural(count, 'exposure')}\n`);
}
