// The worker's platform without I/O. Promises of the real platform settle on the event loop, at a millisecond each and
// in an order that no seed controls. Here everything settles in microtasks.

type Body = Uint8Array | string | null;
type HeadersOf = PlainHeaders | Readonly<Record<string, string>> | undefined;

const encoder = new TextEncoder();
const decoder = new TextDecoder();

export class PlainHeaders {
  readonly #values = new Map<string, string>();

  constructor(init?: HeadersOf) {
    if (init instanceof PlainHeaders) for (const [name, value] of init.#values) this.#values.set(name, value);
    else if (init !== undefined) for (const name in init) this.set(name, init[name] as string);
  }

  get(name: string): string | null {
    return this.#values.get(name.toLowerCase()) ?? null;
  }

  set(name: string, value: string): void {
    this.#values.set(name.toLowerCase(), value);
  }
}

export class PlainResponse {
  readonly status: number;
  readonly headers: PlainHeaders;
  readonly body: PlainBody | null;
  readonly #bytes: Uint8Array;

  constructor(body: Body, { status = 200, headers }: { status?: number; headers?: HeadersOf } = {}) {
    this.status = status;
    this.headers = new PlainHeaders(headers);
    // Copies its input, like a real one.
    this.#bytes = typeof body === 'string' ? encoder.encode(body) : (body?.slice() ?? new Uint8Array());
    this.body = body === null ? null : new PlainBody(this.#bytes);
  }

  async arrayBuffer(): Promise<ArrayBuffer> {
    return this.#bytes.slice().buffer as ArrayBuffer;
  }

  async text(): Promise<string> {
    return decoder.decode(this.#bytes);
  }

  clone(): PlainResponse {
    return new PlainResponse(this.#bytes, { status: this.status, headers: this.headers });
  }
}

/** The body as a stream of one chunk. */
class PlainBody {
  readonly #bytes: Uint8Array;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  async cancel(): Promise<void> {}

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array> {
    yield this.#bytes.slice();
  }
}

class PlainAbortSignal {
  aborted = false;
  reason: unknown;
  readonly listeners = new Set<() => void>();

  addEventListener(_: 'abort', listener: () => void): void {
    this.listeners.add(listener);
  }

  removeEventListener(_: 'abort', listener: () => void): void {
    this.listeners.delete(listener);
  }
}

export class PlainAbortController {
  readonly signal = new PlainAbortSignal();

  abort(reason?: unknown): void {
    if (this.signal.aborted) return;
    this.signal.aborted = true;
    this.signal.reason = reason;
    for (const listener of this.signal.listeners) listener();
  }
}

export const PLAIN_GLOBALS = {
  Headers: PlainHeaders,
  Response: PlainResponse,
  AbortController: PlainAbortController,
} as const;
