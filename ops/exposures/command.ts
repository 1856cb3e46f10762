// `earshot exposures export`: the exposures of the archive, each once, as NDJSON.
import { Command } from 'commander';
import { parseMoment } from '../cli/arguments.ts';
import { formatPlural } from '../cli/format.ts';
import { dropRepeats } from './drop-repeats.ts';
import { openOutput, STANDARD_OUTPUT } from './output.ts';
import { type ArchiveFlags, findArchive, readArchive } from './read-archive.ts';

interface Flags extends ArchiveFlags {
  readonly since: number;
  readonly until?: number;
  readonly out?: string;
}

const CHUNK_CHARACTERS = 65_536;

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
  const output = out === undefined ? STANDARD_OUTPUT : await openOutput(out);
  let count = 0;
  let text = '';
  try {
    for await (const exposure of dropRepeats(readArchive(target, { sinceMs, untilMs }))) {
      count += 1;
      text += `${JSON.stringify(exposure)}\n`;
      if (text.length < CHUNK_CHARACTERS) continue;
      await output.write(text);
      text = '';
    }
    await output.write(text);
    await output.finish();
  } catch (error) {
    await output.discard();
    throw error;
  }
  // Beside the lines themselves, the count would not be NDJSON.
  const about = out === undefined ? process.stderr : process.stdout;
  about.write(`${formatPlural(count, 'exposure')}\n`);
}
