// Reads of the archive through the worker. Answers of its limits, failures of the worker and of the network are
// repeated: waits grow exponentially with full jitter, and come on top of the Retry-After of the answer.
import type { Clock } from '../../shared/runtime/clock.ts';
import { readRetryAfterMs } from '../../shared/runtime/retry-after.ts';

export interface ArchiveTarget {
  /** Base URL of the worker. */
  readonly url: string;
  readonly token: string;
}

export interface ArchiveClient {
  /** The body of the answer. Throws an Error with the path and the status. */
  get(path: string): Promise<Buffer>;
  /** Ends every read that is under way. */
  close(): void;
}

interface ClientOptions {
  readonly fetch: typeof fetch;
  readonly clock: Clock;
  /** A number in [0, 1) for the jitter. */
  readonly random: () => number;
}

export const MAX_ATTEMPTS = 8;
const TIMEOUT_MS = 60_000;
const FIRST_BACKOFF_MS = 200;
const MAX_BACKOFF_MS = 30_000;
/** A longer Retry-After is cut: a mistake of the worker must not end in a silent command. */
const MAX_RETRY_AFTER_MS = 300_000;
const SHOWN_CHARACTERS = 200;

interface Failure {
  /** For the message: "answered PATH with status 503", for example. */
  readonly what: string;
  readonly detail: string;
  readonly isPassing: boolean;
  readonly retryAfterMs?: number | undefined;
}

export function createArchiveClient(target: ArchiveTarget, options: ClientOptions): ArchiveClient {
  const { clock, random } = options;
  /** One for each request and each wait that is under way. */
  const stops = new Set<() => void>();
  let isClosed = false;

  async function attempt(path: string): Promise<Buffer | Failure> {
    const controller = new AbortController();
    const stop = (): void => controller.abort();
    const cancelTimeout = clock.setTimeout(() => controller.abort(new Error('no whole answer in time')), TIMEOUT_MS);
    stops.add(stop);
    try {
      const headers = { authorization: `Bearer ${target.token}` };
      const answer = await options.fetch(`${target.url}${path}`, { headers, signal: controller.signal });
      const body = Buffer.from(await answer.arrayBuffer());
      return answer.ok ? body : refusalOf(path, answer, body);
    } catch (error) {
      return { what: `does not answer ${path}`, detail: describe(error), isPassing: true };
    } finally {
      cancelTimeout();
      stops.delete(stop);
    }
  }

  function refusalOf(path: string, { status, headers }: Response, body: Buffer): Failure {
    return {
      what: `answered ${path} with status ${status}`,
      detail: body.toString().slice(0, SHOWN_CHARACTERS),
      isPassing: status === 429 || status >= 500,
      retryAfterMs: readRetryAfterMs(headers.get('retry-after'), clock.now()),
    };
  }

  const wait = (delayMs: number): Promise<void> =>
    new Promise((resolve) => {
      const stop = (): void => {
        cancel();
        stops.delete(stop);
        resolve();
      };
      const cancel = clock.setTimeout(stop, delayMs);
      stops.add(stop);
    });

  return {
    get: async (path) => {
      for (let made = 1; ; made++) {
        const result = await attempt(path);
        if (Buffer.isBuffer(result)) return result;
        const { what, detail, isPassing, retryAfterMs = 0 } = result;
        if (!isPassing || made === MAX_ATTEMPTS || isClosed) {
          const attempts = made === 1 ? '' : ` after ${made} attempts`;
          throw new Error(`the edge ${what}${attempts}: ${detail}`);
        }
        const backoffMs = random() * Math.min(MAX_BACKOFF_MS, FIRST_BACKOFF_MS * 2 ** (made - 1));
        await wait(Math.min(MAX_RETRY_AFTER_MS, retryAfterMs) + backoffMs);
        if (isClosed) throw new Error(`the read of ${path} was ended`);
      }
    },
    close: () => {
      isClosed = true;
      for (const stop of [...stops]) stop();
    },
  };
}

/** The message of fetch names no reason: its cause does. */
function describe(error: unknown): string {
  const { message, cause } = error as Error;
  if (!(cause instanceof Error)) return message;
  const { code } = cause as NodeJS.ErrnoException;
  return cause.message === '' ? `${message} (${code})` : `${message} (${cause.message})`;
}
