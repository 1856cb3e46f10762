// The output of an export. A file is whole or absent: a file beside it takes its place at the end.
import { once } from 'node:events';
import { type FileHandle, open, realpath, rename, rm, stat } from 'node:fs/promises';

export interface Output {
  write(text: string): Promise<void>;
  finish(): Promise<void>;
  /** Removes the part that was written. An earlier file stays as it is. */
  discard(): Promise<void>;
}

/** Exposures are personal data. */
const OWNER_ONLY = 0o600;

export const STANDARD_OUTPUT: Output = {
  write: async (text) => {
    if (!process.stdout.write(text)) await once(process.stdout, 'drain');
  },
  finish: async () => undefined,
  discard: async () => undefined,
};

/** Throws an Error that names `path`, now and later. A device or a pipe is written directly. */
export async function openOutput(path: string): Promise<Output> {
  const attempt = async <T>(work: () => Promise<T>): Promise<T> => {
    try {
      return await work();
    } catch (error) {
      throw new Error(`cannot write ${path}: ${(error as Error).message}`, { cause: error });
    }
  };
  return attempt(async () => {
    const existing = await stat(path).catch(() => undefined);
    const isReplaced = existing === undefined || existing.isFile();
    // A link stays one.
    const target = existing === undefined ? path : await realpath(path);
    const part = isReplaced ? `${target}.${process.pid}.part` : target;
    const file: FileHandle = await open(part, isReplaced ? 'wx' : 'w', OWNER_ONLY);
    return {
      write: (text) => attempt(() => file.writeFile(text)),
      finish: () =>
        attempt(async () => {
          if (isReplaced) await file.sync();
          await file.close();
          if (isReplaced) await rename(part, target);
        }),
      discard: async () => {
        await file.close().catch(() => undefined);
        if (isReplaced) await rm(part, { force: true });
      },
    };
  });
}
