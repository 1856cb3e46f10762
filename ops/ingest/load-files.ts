// Loads the lines of several files: each line becomes a cell or a reject. Cells are written in bulk.
import { access, constants, stat } from 'node:fs/promises';
import { basename } from 'node:path';
import type { BulkWriter, CellWrite } from '../bigtable/bulk-writer.ts';
import { type Line, readLines } from './lines.ts';
import type { Progress } from './progress.ts';
import type { Rejects } from './rejects.ts';
import { createSeenIds } from './seen-ids.ts';

export interface ParsedLine {
  /** Id of the line. A second line with the same id in one file is a reject. */
  readonly id: string;
  readonly cell: CellWrite;
}

export interface LoadOptions {
  readonly files: readonly string[];
  /** From `measureFiles`. */
  readonly totalBytes: number;
  /** Throws an Error with the reason of a reject. */
  readonly parse: (text: string) => ParsedLine;
  readonly writer: BulkWriter;
  readonly rejects: Rejects;
  readonly progress: Progress;
}

/** The total size of all files. Throws an Error if one cannot be read, before anything is written. */
export async function measureFiles(files: readonly string[]): Promise<number> {
  let totalBytes = 0;
  for (const file of files) totalBytes += await readableSize(file);
  return totalBytes;
}

/**
 * The number of written cells. Throws an Error for an empty or truncated file, and when Bigtable refuses; earlier lines
 * are written then.
 */
export async function loadFiles(options: LoadOptions): Promise<number> {
  const { files, totalBytes, parse, writer, rejects, progress } = options;
  progress.start(totalBytes);
  let loaded = 0;
  try {
    for (const file of files) {
      const before = loaded + rejects.count();
      loaded += await loadFile(file);
      if (loaded + rejects.count() === before)
        throw new Error(`${file}: expected at least one line, got an empty file`);
    }
    await writer.flush();
  } finally {
    progress.stop();
    await rejects.close();
  }
  return loaded;

  async function loadFile(file: string): Promise<number> {
    const seen = createSeenIds();
    let written = 0;
    try {
      for await (const lines of readLines(file, (bytes) => progress.addBytes(bytes))) {
        for (const line of lines) {
          const parsed = parseOrReason(line, seen);
          if (typeof parsed === 'string') {
            await rejects.add({ file: basename(file), line: line.number, reason: parsed, text: line.text });
            continue;
          }
          const room = writer.write(parsed);
          if (room !== undefined) await room;
          written++;
        }
        progress.setCounts(loaded + written, rejects.count());
      }
    } catch (error) {
      if (isZlibError(error))
        throw new Error(`${file}: expected a whole gzip file, got ${error.message}`, { cause: error });
      throw error;
    }
    return written;
  }

  function parseOrReason(line: Line, seen: ReturnType<typeof createSeenIds>): CellWrite | string {
    if (line.broken !== undefined) return line.broken;
    let parsed: ParsedLine;
    try {
      parsed = parse(line.text);
    } catch (error) {
      return (error as Error).message;
    }
    const earlier = seen.add(parsed.id, line.number);
    return earlier === undefined
      ? parsed.cell
      : `expected each id once in a file, got ${parsed.id} again after line ${earlier}`;
  }
}

async function readableSize(file: string): Promise<number> {
  try {
    await access(file, constants.R_OK);
    const stats = await stat(file);
    if (!stats.isFile()) throw new Error('it is not a file');
    return stats.size;
  } catch (error) {
    throw new Error(`expected ${file} to be a readable file: ${(error as Error).message}`, { cause: error });
  }
}

const isZlibError = (error: unknown): error is Error =>
  error instanceof Error && String((error as { code?: unknown }).code ?? '').startsWith('Z_');
