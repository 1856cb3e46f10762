// Loads the lines of several files: each line becomes a cell or a reject. Cells are written in bulk.
import { access, constants, stat } from 'node:fs/promises';
import { basename } from 'node:path';
import type { BulkWriter, CellWrite } from '../bigtable/bulk-writer.ts';
import { nameInput, STANDARD_INPUT } from './input.ts';
import { type Line, readLines } from './lines.ts';
import type { Progress } from './progress.ts';
import type { Rejects } from './rejects.ts';
import { createSeenIds } from './seen-ids.ts';

export interface ParsedLine {
  /** Id of the line. A second line with the same id in one load is a reject. */
  readonly id: string;
  readonly cell: CellWrite & { readonly value: string };
}

export interface LoadOptions {
  readonly files: readonly string[];
  /** From `measureFiles`. */
  readonly totalBytes: number;
  /** Throws an Error with the reason of a reject. */
  readonly parse: (text: string) => ParsedLine;
  readonly writer: BulkWriter;
  /** Whether the load drops the line of this id. Default: it drops none. */
  readonly isKeptOut?: (id: string) => boolean;
  /** Throws an Error if the load must not go on. Called before each group of lines. */
  readonly requireHeld?: () => void;
  readonly rejects: Rejects;
  readonly progress: Progress;
}

/** The total size of all files, 0 for standard input. Throws an Error if one cannot be read. */
export async function measureFiles(files: readonly string[]): Promise<number> {
  let totalBytes = 0;
  for (const file of files) totalBytes += await readableSize(file);
  return totalBytes;
}

export interface LoadedLines {
  /** Written cells. */
  readonly written: number;
  /** Lines that were dropped, because their users are kept out. */
  readonly keptOut: number;
}

/**
 * Throws an Error for an empty or truncated file, and when Bigtable refuses; earlier lines
 * may be written then. Of two lines with one id the first counts, in the order of the files.
 */
export async function loadFiles(options: LoadOptions): Promise<LoadedLines> {
  const { files, totalBytes, parse, writer, requireHeld = () => undefined, rejects, progress } = options;
  const { isKeptOut = () => false } = options;
  const seen = createSeenIds();
  const places = createPlaces();
  progress.start(totalBytes);
  let loaded = 0;
  let keptOut = 0;
  try {
    for (const file of files) {
      const before = loaded + keptOut + rejects.count();
      places.open(file);
      await loadFile(file);
      if (loaded + keptOut + rejects.count() === before)
        throw new Error(`${nameInput(file)}: expected at least one line, got an empty file`);
    }
    requireHeld();
    await writer.flush();
  } finally {
    progress.stop();
    await rejects.close();
  }
  return { written: loaded, keptOut };

  async function loadFile(file: string): Promise<void> {
    for await (const lines of readLines(file, (bytes) => progress.addBytes(bytes))) {
      requireHeld();
      for (const line of lines) {
        const parsed = parseOrReason(line);
        if (typeof parsed === 'string') {
          await rejects.add({ file: shortName(file), line: line.number, reason: parsed, text: line.text });
          continue;
        }
        if (isKeptOut(parsed.id)) {
          keptOut++;
          continue;
        }
        const room = writer.write(parsed.cell);
        if (room !== undefined) await room;
        loaded++;
      }
      progress.setCounts(loaded, rejects.count());
    }
  }

  function parseOrReason(line: Line): ParsedLine | string {
    if (line.broken !== undefined) return line.broken;
    let parsed: ParsedLine;
    try {
      parsed = parse(line.text);
    } catch (error) {
      return (error as Error).message;
    }
    const earlier = seen.add(parsed.id, places.numberOf(line.number));
    return earlier === undefined
      ? parsed
      : `expected each id once in a load, got ${parsed.id} again after ${places.describe(earlier)}`;
  }
}

const shortName = (file: string): string => (file === STANDARD_INPUT ? nameInput(file) : basename(file));

/** Numbers the lines of all files in one sequence. */
function createPlaces() {
  const opened: { readonly file: string; readonly before: number }[] = [];
  let last = 0;
  const before = (): number => opened.at(-1)?.before ?? 0;
  return {
    open: (file: string): void => void opened.push({ file, before: last }),
    numberOf: (line: number): number => {
      last = before() + line;
      return last;
    },
    /** `line 7`, or with its file if that is another one. */
    describe: (number: number): string => {
      const place = opened.findLast((each) => each.before < number);
      const line = `line ${number - (place?.before ?? 0)}`;
      return place === undefined || place === opened.at(-1) ? line : `${line} of ${shortName(place.file)}`;
    },
  };
}

async function readableSize(file: string): Promise<number> {
  if (file === STANDARD_INPUT) {
    if (process.stdin.isTTY) throw new Error('expected lines in standard input, got a terminal: pipe a file to it');
    return 0;
  }
  try {
    await access(file, constants.R_OK);
    const stats = await stat(file);
    if (!stats.isFile() && !stats.isFIFO()) throw new Error('it is not a file');
    return stats.size;
  } catch (error) {
    throw new Error(`expected ${file} to be a readable file: ${(error as Error).message}`, { cause: error });
  }
}
