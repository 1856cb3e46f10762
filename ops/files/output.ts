// A file that a command writes: on this machine or in Cloud Storage, whole or absent.
import { createWriteStream } from 'node:fs';
import { rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Writable } from 'node:stream';
import { finished } from 'node:stream/promises';
import { makeDirectory } from '../cli/state-file.ts';
import { isCloudStorage, openBucket, splitUri } from '../ingest/inputs/cloud-storage.ts';

export interface OutputFile {
  /** Resolves once there is room for more. Rejects if the file cannot be written. */
  write(bytes: string | Uint8Array): Promise<void>;
  /** From now on the file is there. */
  end(): Promise<void>;
  /** The file is not made. */
  abandon(): Promise<void>;
}

/** `path` may be `gs://BUCKET/OBJECT`. Throws an Error that names what cannot be written. */
export async function createOutput(path: string): Promise<OutputFile> {
  if (isCloudStorage(path)) {
    const { bucket, object } = splitUri(path);
    const stream = (await openBucket(bucket)).file(object).createWriteStream({ resumable: false });
    // An object is there once it is whole.
    return toOutput(
      path,
      stream,
      async () => undefined,
      async () => undefined,
    );
  }
  makeDirectory(dirname(path));
  const part = `${path}.part`;
  const stream = createWriteStream(part);
  return toOutput(
    path,
    stream,
    () => rename(part, path),
    () => rm(part, { force: true }),
  );
}

function toOutput(
  path: string,
  stream: Writable,
  complete: () => Promise<void>,
  discard: () => Promise<void>,
): OutputFile {
  let failure: Error | undefined;
  const done = finished(stream).catch((error: Error) => {
    failure = new Error(`expected ${path} to be writable: ${error.message}`, { cause: error });
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
      stream.end();
      await done;
      requireWhole();
      await complete();
    },
    abandon: async () => {
      stream.destroy();
      await done;
      await discard();
    },
  };
}
