// The recovery file: the parts of the table `control` that a backup of Bigtable lacks, because they are newer than it.
// It has users by reference only, and is kept outside of the instance.
import { readFile } from 'node:fs/promises';
import { z } from 'zod';
import { describeIssues } from '../../shared/domain/describe-issues.ts';
import { DOCUMENT_KINDS } from '../../shared/domain/effects/documents.ts';
import { manifestSchema } from '../../shared/domain/manifest.ts';
import type { UserRef } from '../cli/user-ref.ts';
import { storedErasureSchema } from '../effects/erasure-record.ts';
import { keptOutSchema } from '../effects/keep-out.ts';
import { createOutput } from '../files/output.ts';
import { isCloudStorage, openBucket, splitUri } from '../ingest/inputs/cloud-storage.ts';

const fileSchema = z.looseObject({
  format: z.literal(1),
  savedAtMs: z.number(),
  instance: z.string(),
  /** The reference of a fixed text: another hash key would find no erased user. */
  keyCheck: z.string(),
  manifest: manifestSchema,
  /** The documents that the manifest names. */
  documents: z.array(z.looseObject({ kind: z.enum(DOCUMENT_KINDS), version: z.string(), json: z.string() })),
  /** Every record of an erasure. */
  erasures: z.array(storedErasureSchema),
  /** The keep-out list, by reference. */
  keepOut: z.record(z.string(), keptOutSchema),
});

export type RecoveryFile = z.infer<typeof fileSchema>;

export const keyCheckOf = (userRef: UserRef): string => userRef('earshot recovery file');

/** `path` may be `gs://BUCKET/OBJECT`. The file is there as a whole, or the one before. Throws an Error. */
export async function writeRecoveryFile(path: string, file: RecoveryFile): Promise<void> {
  const output = await createOutput(path);
  try {
    await output.write(`${JSON.stringify(file)}\n`);
    await output.end();
  } catch (error) {
    await output.abandon();
    throw error;
  }
}

/** Throws an Error for a file that cannot be read, or that `earshot recovery save` has not written. */
export async function readRecoveryFile(path: string): Promise<RecoveryFile> {
  const text = await read(path).catch((error: Error) => {
    throw new Error(`expected ${path} to be readable: ${error.message}`, { cause: error });
  });
  const parsed = fileSchema.safeParse(parseJson(text));
  if (parsed.success) return parsed.data;
  throw new Error(
    `expected ${path} to be a file of \`npx earshot recovery save\`, got another: ${describeIssues(parsed.error)}`,
  );
}

async function read(path: string): Promise<string> {
  if (!isCloudStorage(path)) return readFile(path, 'utf8');
  const { bucket, object } = splitUri(path);
  const [bytes] = await (await openBucket(bucket)).file(object).download();
  return bytes.toString('utf8');
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
