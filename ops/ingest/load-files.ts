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
  /** The users whose lines the load drops. Default: it drops none. */
  readonly keepOut?: KeepOut;
  /** Throws an Error if the load must not go on. Called before each group of lines. */
  readonly requireHeld?: () => void;
  readonly rejects: Rejects;
  readonly progress: Progress;
}

export interface KeepOut {
  has(id: string): boolean;
  /** Reads the list again. Resolves with whether it has changed since the last call. */
  refresh(): Promise<boolean>;
}

/** Accepted lines between two looks at the keep-out list. Their cells are held in memory. */
const SETTLE_LINES = 100_000;

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
  const { keepOut } = options;
  const seen = createSeenIds();
  const places = createPlaces();
  progress.start(totalBytes);
  let loaded = 0;
  let keptOut = 0;
  /** Row keys of accepted lines by id, since the last look. */
  let accepted = new Map<string, string>();
  try {
    for (const file of files) {
      const before = loaded + keptOut + rejects.count();
      places.open(file);
      await loadFile(file);
      if (loaded + keptOut + rejects.count() === before)
        throw new Error(`${nameInput(file)}: expected at least one line, got an empty file`);
    }
    requireHeld();
    await settle();
  } finally {
    progress.stop();
    await rejects.close();
  }
  return { written: loaded, keptOut };

  /**
   * A user may be kept out while the line waits in a batch: then the deletion of an erasure comes before the write. So
   * the list is read again once the cells are stored, and the cells of its new users are deleted.
   */
  async function settle(): Promise<void> {
    await writer.flush();
    if (keepOut === undefined || !(await keepOut.refresh())) {
      accepted = new Map();
      return;
    }
    for (const [id, rowKey] of accepted) {
      if (!keepOut.has(id)) continue;
      await writer.write({ rowKey, value: undefined });
      loaded--;
      keptOut++;
    }
    accepted = new Map();
    await writer.flush();
  }

  async function loadFile(file: string): Promise<void> {
    for await (const lines of readLines(file, (bytes) => progress.addBytes(bytes))) {
      requireHeld();
      for (const line of lines) {
        const parsed = parseOrReason(line);
        if (typeof parsed === 'string') {
          await rejects.add({ file: shortName(file), line: line.number, reason: parsed, text: line.text });
          continue;
        }
        if (keepOut?.has(parsed.id)) {
          keptOut++;
          continue;
        }
        if (keepOut !== undefined) accepted.set(parsed.id, parsed.cell.rowKey);
        const room = writer.write(parsed.cell);
        if (room !== undefined) await room;
        loaded++;
      }
      if (accepted.size >= SETTLE_LINES) await settle();
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
