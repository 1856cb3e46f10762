// Keeps rejected lines with their reasons, so that they can be corrected and loaded. The first reject creates the file.
// An existing file is never written to: it may be an input, or the rejects of an earlier load. Only this user can read
// it.
import { close, lstatSync, statSync, write } from 'node:fs';
import { dirname } from 'node:path';
import { promisify } from 'node:util';
import { makeDirectory, openPrivate } from '../cli/state-file.ts';
import { UsageError } from '../cli/usage-error.ts';

export interface Reject {
  readonly file: string;
  readonly line: number;
  readonly reason: string;
  readonly text: string;
}

export interface Rejects {
  readonly path: string;
  count(): number;
  /** Throws an Error if the file cannot be written. */
  add(reject: Reject): Promise<void>;
  close(): Promise<void>;
}

/** Calls `onReject` for each reject. `path` names no file, or a device such as /dev/null. */
export function createRejects(path: string, onReject: (reject: Reject) => void): Rejects {
  let file: number | undefined;
  let count = 0;
  return {
    path,
    count: () => count,
    add: async (reject) => {
      count++;
      onReject(reject);
      try {
        if (file === undefined) {
          makeDirectory(dirname(path));
          file = openPrivate(path, isDevice(path) ? 'w' : 'wx');
        }
        await writeAll(file, `${JSON.stringify(reject)}\n`);
      } catch (error) {
        throw new Error(`expected the file for rejects to be new and writable: ${(error as Error).message}`, {
          cause: error,
        });
      }
    },
    close: async () => {
      if (file !== undefined) await promisify(close)(file);
    },
  };
}

async function writeAll(file: number, text: string): Promise<void> {
  const bytes = Buffer.from(text);
  for (let at = 0; at < bytes.length; ) at += (await promisify(write)(file, bytes, at)).bytesWritten;
}

/** Throws a UsageError if `path` exists. `inputs` are the files of the load. */
export function requireNewFile(path: string, inputs: readonly string[]): void {
  if (!exists(path) || isDevice(path)) return;
  const input = inputs.find((each) => isSameFile(each, path));
  if (input !== undefined)
    throw new UsageError(`expected --rejects to be a new file, got ${path}, which is the input ${input}`);
  throw new UsageError(`expected --rejects to be a new file, got ${path}, which exists`);
}

/** `makePath('')`, or with `-2`, `-3` and so on for the first file that does not exist. */
export function findNewFile(makePath: (suffix: string) => string): string {
  for (let n = 1; ; n++) {
    const path = makePath(n === 1 ? '' : `-${n}`);
    if (!exists(path)) return path;
  }
}

/** Also for a symbolic link to nothing. */
const exists = (path: string): boolean => lstatSync(path, { throwIfNoEntry: false }) !== undefined;

function isDevice(path: string): boolean {
  const stats = statSync(path, { throwIfNoEntry: false });
  return stats !== undefined && (stats.isCharacterDevice() || stats.isFIFO());
}

/** The same by any name: relative, symbolic link or hard link. */
function isSameFile(a: string, b: string): boolean {
  const [first, second] = [statSync(a, { throwIfNoEntry: false }), statSync(b, { throwIfNoEntry: false })];
  return first !== undefined && second !== undefined && first.dev === second.dev && first.ino === second.ino;
}
