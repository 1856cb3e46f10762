// Files of this machine, and standard input.
import { constants, createReadStream, type Stats } from 'node:fs';
import { access, type FileHandle, glob, open, readdir, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import type { Source } from './source.ts';

/** The argument that stands for standard input. */
export const STANDARD_INPUT = '-';

const CHUNK_BYTES = 256 * 1024;

/** Throws an Error if standard input is a terminal. */
export function openStandardInput(): Source {
  if (process.stdin.isTTY) throw new Error('expected lines in standard input, got a terminal: pipe a file to it');
  const name = 'standard input';
  // An open pipe would keep the process running after an error.
  return { name, shortName: name, size: 0, open: () => process.stdin, close: () => process.stdin.destroy() };
}

/** The files of `path`: a file, a pipe, a directory, or a pattern. Throws an Error that names what cannot be read. */
export async function findLocal(path: string): Promise<Source[]> {
  const stats = await stat(path).catch(() => undefined);
  if (stats?.isDirectory()) return Promise.all((await filesIn(path)).map(openFile));
  if (stats === undefined && /[*?[{]/.test(path)) {
    const found: string[] = [];
    for await (const match of glob(path)) found.push(match);
    found.sort();
    if (found.length === 0) throw new Error(`expected files that match ${path}, got none`);
    return Promise.all(found.map(openFile));
  }
  return [await openFile(path)];
}

/**
 * In the order of their names. Engines leave markers beside their files, such as `_SUCCESS` and `.part.crc`. Throws an
 * Error for a directory in it: its lists would be missing.
 */
async function filesIn(directory: string): Promise<string[]> {
  try {
    const entries = await readdir(directory, { withFileTypes: true });
    const files = entries.filter(({ name }) => !/^[._]/.test(name));
    const inner = files.find((entry) => entry.isDirectory());
    if (inner !== undefined)
      throw new Error(`it has the directory ${inner.name}: name the files by a pattern, such as ${directory}/*/*`);
    if (files.length === 0) throw new Error('it has no files');
    return files.map(({ name }) => join(directory, name)).sort();
  } catch (error) {
    throw new Error(`expected ${directory} to be a directory of files: ${(error as Error).message}`, { cause: error });
  }
}

async function openFile(path: string): Promise<Source> {
  const about = { name: path, shortName: basename(path) };
  try {
    await access(path, constants.R_OK);
    const stats = await stat(path);
    if (stats.isFIFO())
      return { ...about, size: 0, open: () => createReadStream(path, { highWaterMark: CHUNK_BYTES }) };
    if (!stats.isFile()) throw new Error('it is not a file');
    return {
      ...about,
      size: stats.size,
      open: () => readWhole(path, stats),
      readRange: (start, end) => readRange(path, stats, start, end),
    };
  } catch (error) {
    throw new Error(`expected ${path} to be a readable file: ${(error as Error).message}`, { cause: error });
  }
}

/** Throws an Error for a file that is still written: its end would be missing, and no line may tell. */
async function* readWhole(path: string, found: Stats): AsyncGenerator<Buffer> {
  const file = await open(path);
  try {
    await requireUnchanged(path, file, found);
    yield* file.createReadStream({ highWaterMark: CHUNK_BYTES, autoClose: false });
    await requireUnchanged(path, file, found);
  } finally {
    await file.close();
  }
}

async function requireUnchanged(path: string, file: FileHandle, found: Stats): Promise<void> {
  const { size, mtimeMs, mtime } = await file.stat();
  if (size === found.size && mtimeMs === found.mtimeMs) return;
  throw new Error(
    `${path}: expected the file as it was found, got ${size} bytes of ${mtime.toISOString()}: it was changed or replaced`,
  );
}

async function readRange(path: string, found: Stats, start: number, end: number): Promise<Buffer> {
  const file = await open(path);
  try {
    await requireUnchanged(path, file, found);
    const { bytesRead, buffer } = await file.read(Buffer.alloc(end - start), 0, end - start, start);
    if (bytesRead < end - start) throw new Error(`${path}: expected ${end} bytes, got ${start + bytesRead}`);
    return buffer;
  } finally {
    await file.close();
  }
}
