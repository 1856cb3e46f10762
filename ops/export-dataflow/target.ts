// The place of exported files: a directory, or a prefix in Cloud Storage. It has no file of an earlier export, because
// a job reads all files of a pattern.
import { readdirSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { makeDirectory } from '../cli/state-file.ts';
import { UsageError } from '../cli/usage-error.ts';
import { isCloudStorage, openBucket, splitUri } from '../ingest/inputs/cloud-storage.ts';

export interface Target {
  /** Whether Dataflow can read the files where they are. */
  readonly isCloudStorage: boolean;
  /** The files, as a pattern. */
  readonly pattern: string;
  /** File `index`, from 0. */
  pathOf(index: number): string;
  /** Deletes a whole file. */
  remove(path: string): Promise<void>;
}

const PREFIX = 'part-';

/** Throws a UsageError for a place with files of an earlier export, and an Error for one that cannot be used. */
export async function openTarget(out: string): Promise<Target> {
  const target = isCloudStorage(out) ? openPrefix(out) : openDirectory(out);
  const [found] = await target.list();
  if (found !== undefined)
    throw new UsageError(`expected --out without files of an earlier export, got ${out} with ${found}`);
  return target;
}

type ListedTarget = Target & { list(): Promise<readonly string[]> };

const nameOf = (index: number): string => `${PREFIX}${String(index).padStart(5, '0')}.avro`;

function openDirectory(out: string): ListedTarget {
  return {
    isCloudStorage: false,
    pattern: join(out, `${PREFIX}*.avro`),
    pathOf: (index) => join(out, nameOf(index)),
    remove: (path) => rm(path, { force: true }),
    list: async () => {
      try {
        makeDirectory(out);
        return readdirSync(out).filter((name) => name.startsWith(PREFIX) && name.endsWith('.avro'));
      } catch (error) {
        throw new Error(`expected --out to be a directory, got ${out}: ${(error as Error).message}`, { cause: error });
      }
    },
  };
}

/** The pattern of a job is one parameter of a list that commas separate, and `*` stands for more than itself in it. */
const PLAIN_URI = /^gs:\/\/[a-z0-9][a-z0-9._-]*(\/[A-Za-z0-9._~=+-]+)*\/?$/;

function openPrefix(out: string): ListedTarget {
  if (!PLAIN_URI.test(out))
    throw new UsageError(`expected --out as gs://BUCKET/PREFIX of A-Z a-z 0-9 . _ ~ = + - /, got ${out}`);
  const directory = out.replace(/\/$/, '');
  return {
    isCloudStorage: true,
    pattern: `${directory}/${PREFIX}*.avro`,
    pathOf: (index) => `${directory}/${nameOf(index)}`,
    remove: async (path) => {
      const { bucket, object } = splitUri(path);
      await (await openBucket(bucket)).file(object).delete({ ignoreNotFound: true });
    },
    list: async () => {
      const { bucket, object } = splitUri(`${directory}/${PREFIX}`);
      try {
        const [files] = await (await openBucket(bucket)).getFiles({ prefix: object, maxResults: 1 });
        return files.map(({ name }) => name);
      } catch (error) {
        throw new Error(`expected ${out} to be readable: ${(error as Error).message}`, { cause: error });
      }
    },
  };
}
