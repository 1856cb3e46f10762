// Objects of Google Cloud Storage, `gs://BUCKET/OBJECT`: one, those under a prefix that ends with `/`, or a pattern. The
// client finds Application Default Credentials, or the emulator of STORAGE_EMULATOR_HOST.
import type { Bucket, File } from '@google-cloud/storage';
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
    return files.map(toSource);
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
  if (object.endsWith('/')) return sorted((await bucket.getFiles({ prefix: object }))[0]);
  if (/[*?[{]/.test(object)) return sorted((await bucket.getFiles({ matchGlob: object }))[0]);
  const file = bucket.file(object);
  await file.getMetadata();
  return [file];
}

/** By name, without folders and the markers that engines leave. */
const sorted = (files: readonly File[]): File[] =>
  files
    .filter(({ name }) => !name.endsWith('/') && !/(^|\/)[._][^/]*$/.test(name))
    .sort((a, b) => (a.name < b.name ? -1 : 1));

function toSource(file: File): Source {
  const name = `${SCHEME}${file.bucket.name}/${file.name}`;
  return {
    name,
    shortName: file.name.replace(/^.*\//, ''),
    size: Number(file.metadata.size ?? 0),
    // The bytes as they are stored: the client would unzip an object with `Content-Encoding: gzip`.
    open: () => file.createReadStream({ decompress: false, validation: 'crc32c' }),
    readRange: async (start, end) => (await file.download({ start, end: end - 1, decompress: false }))[0],
  };
}
