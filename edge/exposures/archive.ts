// The archive of exposures in R2: gzipped NDJSON objects, by the hour in which the worker was told. A message that is
// delivered twice is archived twice: readers drop lines by their id.
import { describeIssues } from '../../shared/domain/describe-issues.ts';
import { archivedExposureSchema } from '../../shared/domain/experiments/archive.ts';
import { describeError, type Log } from '../log.ts';
import { MESSAGE_FORMAT, type ShownExposure } from './sink.ts';

/** The part of Cloudflare's R2 binding that the archive uses. */
export interface Bucket {
  put(key: string, value: ArrayBuffer): Promise<unknown>;
  list(options: { readonly prefix: string; readonly startAfter?: string; readonly cursor?: string }): Promise<{
    readonly objects: readonly { readonly key: string }[];
    readonly truncated: boolean;
    readonly cursor?: string | undefined;
  }>;
  get(key: string): Promise<{ readonly body: ReadableStream } | null>;
}

export interface ExposureMessage {
  readonly body: unknown;
  ack(): void;
  retry(options?: { readonly delaySeconds?: number }): void;
}

export const ARCHIVE_PREFIX = 'exposures/';
/** Of an object in the folder of its hour. */
export const OBJECT_NAME_PATTERN = /^[0-9a-z-]{1,64}\.ndjson\.gz$/;

/** With the retries of wrangler.toml, R2 may be out for ten minutes before a message goes to the dead letters. */
const RETRY_DELAY_SECONDS = 60;

/**
 * Writes one object for each hour of the batch, and then acknowledges its messages. Those that are not written, and
 * those of another format, are delivered again, and go to the dead letters in the end. The log has a line for either.
 */
export async function archiveExposures(
  messages: readonly ExposureMessage[],
  bucket: Bucket | undefined,
  log: Log,
  makeId: () => string = () => crypto.randomUUID(),
): Promise<void> {
  const known: Known[] = [];
  const unknown: ExposureMessage[] = [];
  let reason: string | undefined;
  for (const message of messages) {
    const exposures = exposuresIn(message.body);
    if (typeof exposures === 'string') {
      reason ??= exposures;
      unknown.push(message);
    } else known.push({ message, exposures });
  }
  if (reason !== undefined) log.error('exposures_unknown', { messages: unknown.length, message: reason });
  retryLater(unknown);
  if (known.length === 0) return;
  const exposures = known.flatMap((each) => each.exposures);
  const archived = known.map(({ message }) => message);
  try {
    await writeObjects(exposures, bucket, makeId);
  } catch (error) {
    const counts = { messages: archived.length, exposures: exposures.length };
    log.error('exposures_not_archived', { ...counts, ...describeError(error) });
    retryLater(archived);
    return;
  }
  for (const message of archived) message.ack();
}

interface Known {
  readonly message: ExposureMessage;
  readonly exposures: readonly ShownExposure[];
}

interface Body {
  readonly format?: unknown;
  readonly exposures?: unknown;
}

function retryLater(messages: readonly ExposureMessage[]): void {
  for (const message of messages) message.retry({ delaySeconds: RETRY_DELAY_SECONDS });
}

/** The reason if the body is not known. An exposure that an export could not read is refused: it would end exports. */
function exposuresIn(body: unknown): readonly ShownExposure[] | string {
  const { format, exposures } = (body ?? {}) as Body;
  if (format !== MESSAGE_FORMAT || !Array.isArray(exposures))
    return `expected the format ${MESSAGE_FORMAT} with a list of exposures`;
  for (const exposure of exposures) {
    const parsed = archivedExposureSchema.safeParse(exposure);
    if (!parsed.success) return describeIssues(parsed.error);
  }
  return exposures as readonly ShownExposure[];
}

async function writeObjects(
  exposures: readonly ShownExposure[],
  bucket: Bucket | undefined,
  makeId: () => string,
): Promise<void> {
  if (bucket === undefined) throw new Error('expected the R2 binding EXPOSURE_ARCHIVE, got none');
  const byHour = Map.groupBy(exposures, ({ atMs }) => hourPath(atMs));
  for (const [hour, lines] of byHour)
    await bucket.put(`${ARCHIVE_PREFIX}${hour}/${makeId()}.ndjson.gz`, await pack(lines));
}

/** `2026-11-30T09` */
export const hourPath = (atMs: number): string => new Date(atMs).toISOString().slice(0, 13);

async function pack(lines: readonly ShownExposure[]): Promise<ArrayBuffer> {
  const text = lines.map((line) => `${JSON.stringify(line)}\n`).join('');
  return new Response(new Blob([text]).stream().pipeThrough(new CompressionStream('gzip'))).arrayBuffer();
}
