// A file that a command writes: whole or absent, and only its owner can read it. It is on this machine or in Cloud
// Storage. A device or a pipe is written directly.
import { once } from 'node:events';
import { link, open, realpath, rename, rm, stat } from 'node:fs/promises';
import { finished } from 'node:stream/promises';
import { isCloudStorage, openBucket, splitUri } from '../ingest/inputs/cloud-storage.ts';

export interface OutputFile {
  /** Resolves once there is room for more. Rejects if the file cannot be written. */
  write(bytes: string | Uint8Array): Promise<void>;
  /** From now on the file is there. */
  end(): Promise<void>;
  /** The file is not made, and an earlier one stays as it is. */
  abandon(): Promise<void>;
}

/** Lists and exposures are personal data. */
const OWNER_ONLY = 0o600;

export const STANDARD_OUTPUT: OutputFile = {
  write: async (bytes) => {
    if (!process.stdout.write(bytes)) await once(process.stdout, 'drain');
  },
  end: async () => undefined,
  abandon: async () => undefined,
};

interface OutputOptions {
  /** A file that is there, or appears meanwhile, is an error. Default: it is replaced. */
  readonly isNew?: boolean;
}

/** `path` may be `gs://BUCKET/OBJECT`. Throws an Error that names it, now and later. Its directory must be there. */
export const createOutput = (path: string, { isNew = false }: OutputOptions = {}): Promise<OutputFile> =>
  isCloudStorage(path) ? createObject(path, isNew) : createFile(path, isNew);

async function createFile(path: string, isNew: boolean): Promise<OutputFile> {
  const attempt = async <T>(work: () => Promise<T>): Promise<T> => {
    try {
      return await work();
    } catch (error) {
      throw notWritable(path, error as Error);
    }
  };
  return attempt(async () => {
    const existing = await stat(path).catch(() => undefined);
    if (isNew && existing !== undefined) throw new Error('it is there already');
    const isReplaced = existing === undefined || existing.isFile();
    // A link stays one.
    const target = existing === undefined ? path : await realpath(path);
    const part = isReplaced ? `${target}.${process.pid}.part` : target;
    const file = await open(part, isReplaced ? 'wx' : 'w', OWNER_ONLY);
    return {
      write: (bytes) => attempt(() => file.writeFile(bytes)),
      end: () =>
        attempt(async () => {
          if (isReplaced) await file.sync();
          await file.close();
          if (isNew) await moveToNew(part, target);
          else if (isReplaced) await rename(part, target);
        }),
      abandon: async () => {
        await file.close().catch(() => undefined);
        if (isReplaced) await rm(part, { force: true });
      },
    };
  });
}

/** `rename` would replace a file that has appeared. */
async function moveToNew(part: string, target: string): Promise<void> {
  await link(part, target);
  await rm(part);
}

/** An object with the condition is there: another writer has made it. */
const PRECONDITION_FAILED = 412;

/** An object is there once it is whole. */
async function createObject(uri: string, isNew: boolean): Promise<OutputFile> {
  const { bucket, object } = splitUri(uri);
  const file = (await openBucket(bucket)).file(object);
  const condition = isNew ? { preconditionOpts: { ifGenerationMatch: 0 } } : {};
  const stream = file.createWriteStream({ resumable: false, ...condition });
  let failure: Error | undefined;
  let isEnded = false;
  const done = finished(stream).catch((error: Error) => {
    failure = notWritable(uri, error);
  });
  const requireWhole = (): void => {
    if (failure !== undefined) throw failure;
  };
  return {
    write: async (bytes) => {
      requireWhole();
      if (stream.write(bytes)) return;
      await Promise.race([done, new Promise((resolve) => stream.once('drain', resolve))]);
      requireWhole();
    },
    end: async () => {
      isEnded = true;
      stream.end();
      await done;
      requireWhole();
    },
    abandon: async () => {
      stream.destroy();
      await done;
      // The answer to the upload of a whole object may be lost.
      const isOfAnother = (failure?.cause as { code?: unknown } | undefined)?.code === PRECONDITION_FAILED;
      if (isNew && isEnded && !isOfAnother) await file.delete({ ignoreNotFound: true });
    },
  };
}

const notWritable = (path: string, error: Error): Error =>
  new Error(`expected ${path} to be writable: ${error.message}`, { cause: error });
