// Objects of Google Cloud Storage, `gs://BUCKET/OBJECT`: one, those under a prefix that ends with `/`, or a pattern. The
// client finds Application Default Credentials, or the emulator of STORAGE_EMULATOR_HOST.
import type { Bucket, File } from '@google-cloud/storage';
import { systemClock } from '../../../shared/runtime/clock.ts';
import { checked, readObject } from './read-object.ts';
import type { Source } from './source.ts';

const SCHEME = 'gs://';

export const isCloudStorage = (path: string): boolean => path.startsWith(SCHEME);

/** Throws an Error that names what cannot be read. */
export async function findObjects(uri: string): Promise<Source[]> {
  const { bucket: bucketName, object } = splitUri(uri);
  try {
    const bucket = await openBucket(bucketName);
    const files = await listFiles(bucket, object);
    if (files.length === 0) throw new Error('there is no such object');
    return files.map((file) => toSource(bucket, file));
  } catch (error) {
    throw new Error(`expected ${uri} to be readable: ${(error as Error).message}`, { cause: error });
  }
}

/** Throws an Error for a text that is no URI of an object. */
export function splitUri(uri: string): { readonly bucket: string; readonly object: string } {
  const [, bucket, object] = /^gs:\/\/([^/]+)\/(.+)$/.exec(uri) ?? [];
  if (bucket === undefined || object === undefined)
    throw new Error(`expected gs://BUCKET/OBJECT, got ${JSON.stringify(uri)}`);
  return { bucket, object };
}

/** The client is loaded only for a command that needs it: it doubles the start-up. */
export async function openBucket(name: string): Promise<Bucket> {
  const { Storage } = await import('@google-cloud/storage');
  const { STORAGE_EMULATOR_HOST: emulator } = process.env;
  const local = emulator === undefined ? {} : { apiEndpoint: emulator, projectId: 'local' };
  return new Storage({ ...local, retryOptions: { maxRetries: 5 } }).bucket(name);
}

async function listFiles(bucket: Bucket, object: string): Promise<File[]> {
  if (object.endsWith('/')) return sorted((await bucket.getFiles({ prefix: object }))[0], object);
  const [fixed = ''] = object.split(/[*?[{]/);
  if (fixed !== object)
    return sorted((await bucket.getFiles({ matchGlob: object }))[0], fixed.slice(0, fixed.lastIndexOf('/') + 1));
  const file = bucket.file(object);
  await file.getMetadata();
  return [file];
}

/** By name, without folders and what engines leave behind `folder`: `_SUCCESS`, and all of `_temporary/`. */
const sorted = (files: readonly File[], folder: string): File[] =>
  files
    .filter(({ name }) => !name.endsWith('/') && !/(^|\/)[._]/.test(name.slice(folder.length)))
    .sort((a, b) => (a.name < b.name ? -1 : 1));

/** The object as it is now: one that replaces it has another generation, and is not read. */
function toSource(bucket: Bucket, { name: object, metadata }: File): Source {
  const name = `${SCHEME}${bucket.name}/${object}`;
  const size = Number(metadata.size ?? 0);
  const { generation, crc32c } = metadata;
  const file = bucket.file(object, generation === undefined ? {} : { generation });
  const named = (error: unknown): Error =>
    new Error(`${name}: expected the object as it was found, got ${(error as Error).message}`, { cause: error });

  async function* read(start: number, end: number): AsyncGenerator<Buffer> {
    try {
      const chunks = readObject(file, { clock: systemClock, start, end });
      const isWhole = start === 0 && end === size;
      yield* isWhole && crc32c !== undefined ? checked(chunks, await createChecksum(), crc32c) : chunks;
    } catch (error) {
      throw named(error);
    }
  }

  return {
    ...{ name, shortName: object.replace(/^.*\//, ''), size },
    open: () => read(0, size),
    readRange: async (start, end) => {
      const chunks: Buffer[] = [];
      for await (const chunk of read(start, end)) chunks.push(chunk);
      return Buffer.concat(chunks);
    },
  };
}

const createChecksum = async () => new (await import('@google-cloud/storage')).CRC32C();
