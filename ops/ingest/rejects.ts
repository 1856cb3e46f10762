// Keeps rejected lines with their reasons, so that they can be corrected and loaded. The first reject creates the file.
import { type FileHandle, mkdir, open } from 'node:fs/promises';
import { dirname } from 'node:path';

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

/** Calls `onReject` for each reject. */
export function createRejects(path: string, onReject: (reject: Reject) => void): Rejects {
  let file: FileHandle | undefined;
  let count = 0;
  return {
    path,
    count: () => count,
    add: async (reject) => {
      count++;
      onReject(reject);
      try {
        if (file === undefined) {
          await mkdir(dirname(path), { recursive: true });
          file = await open(path, 'w');
        }
        await file.write(`${JSON.stringify(reject)}\n`);
      } catch (error) {
        throw new Error(`expected --rejects to be a writable file: ${(error as Error).message}`, {
          cause: error,
        });
      }
    },
    close: async () => {
      await file?.close();
    },
  };
}
