// The archive of exposures in R2: gzipped NDJSON objects, by the hour in which the worker was told. A message that is
// delivered twice is archived twice: readers drop lines by their id.
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
  retry(): void;
}

export const ARCHIVE_PREFIX = 'exposures/';
/** Of an object in the folder of its hour. */
export const OBJECT_NAME_PATTERN = /^[0-9a-z-]{1,64}\.ndjson\.gz$/;

/** Writes one object for each hour of the batch, and then acknowledges its messages. */
export async function archiveExposures(
  messages: readonly ExposureMessage[],
  bucket: Bucket,
  makeId: () => string = () => crypto.randomUUID(),
): Promise<void> {
  // A message of a later format goes to the dead letters: nothing that was told is lost.
  const [known, unknown] = [messages.filter(isKnown), messages.filter((message) => !isKnown(message))];
  for (const message of unknown) message.retry();
  const byHour = Map.groupBy(known.flatMap(exposuresIn), ({ atMs }) => hourPath(atMs));
  try {
    for (const [hour, lines] of byHour)
      await bucket.put(`${ARCHIVE_PREFIX}${hour}/${makeId()}.ndjson.gz`, await pack(lines));
  } catch {
    for (const message of known) message.retry();
    return;
  }
  for (const message of known) message.ack();
}

interface Body {
  readonly format?: unknown;
  readonly exposures?: readonly ShownExposure[];
}

const isKnown = ({ body }: ExposureMessage): boolean =>
  (body as Body | null)?.format === MESSAGE_FORMAT && Array.isArray((body as Body).exposures);

const exposuresIn = ({ body }: ExposureMessage): readonly ShownExposure[] => (body as Body).exposures ?? [];

/** `2026-11-30T09` */
export const hourPath = (atMs: number): string => new Date(atMs).toISOString().slice(0, 13);

async function pack(lines: readonly ShownExposure[]): Promise<ArrayBuffer> {
  const text = lines.map((line) => `${JSON.stringify(line)}\n`).join('');
  return new Response(new Blob([text]).stream().pipeThrough(new CompressionStream('gzip'))).arrayBuffer();
}
