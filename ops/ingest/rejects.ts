// The lines that were not loaded, kept with the reason so that they can be mended and loaded again. The file appears
// with the first one.
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
  /** Throws an Error when it cannot be written. */
  add(reject: Reject): Promise<void>;
  close(): Promise<void>;
}

/** `onReject` hears of each. */
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
        throw new Error(`expected --rejects to be a file that can be written: ${(error as Error).message}`, {
          cause: error,
        });
      }
    },
    close: async () => {
      await file?.close();
    },
  };
}
