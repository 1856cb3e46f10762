// Reads one final answer of HTTP/1.1 from the bytes of a connection: by length, in chunks, or to the end.

export interface Answer {
  readonly status: number;
  /** By lower-case name; a repeated header's values are joined by commas. */
  readonly headers: ReadonlyMap<string, string>;
  readonly body: Buffer;
  /** Whether the connection can take another request. */
  readonly isReusable: boolean;
}

type Head = Pick<Answer, 'status' | 'headers'>;

const HEAD_END = '\r\n\r\n';

export class AnswerReader {
  readonly #isHead: boolean;
  #bytes: Buffer = Buffer.alloc(0);
  #head: Head | undefined;
  #answer: Answer | undefined;

  /** `isHead`: the answer has no body, whatever its headers say. */
  constructor(isHead: boolean) {
    this.#isHead = isHead;
  }

  push(chunk: Buffer): void {
    this.#bytes = this.#bytes.length === 0 ? chunk : Buffer.concat([this.#bytes, chunk]);
    while (this.#head === undefined) {
      const end = this.#bytes.indexOf(HEAD_END);
      if (end === -1) return;
      const head = parseHead(this.#bytes.toString('latin1', 0, end));
      this.#bytes = this.#bytes.subarray(end + HEAD_END.length);
      // 100 and 103 come before the final answer.
      if (head.status >= 200) this.#head = head;
    }
    this.#finish(false);
  }

  /** The connection's other side has ended it. */
  end(): void {
    this.#finish(true);
  }

  answer(): Answer | undefined {
    return this.#answer;
  }

  /** The part of an incomplete answer that has arrived, in words. */
  describe(): string {
    const head = this.#head === undefined ? 'no head' : `status ${this.#head.status}`;
    return `${head} and ${this.#bytes.length} bytes: ${JSON.stringify(this.#bytes.toString('latin1', 0, 200))}`;
  }

  #finish(isEnded: boolean): void {
    const head = this.#head;
    if (head === undefined || this.#answer !== undefined) return;
    const body = this.#isHead ? Buffer.alloc(0) : readBody(head, this.#bytes, isEnded);
    if (body === undefined) return;
    const isDelimited = this.#isHead || isWithoutBody(head.status) || isFramed(head);
    const isClosing = /\bclose\b/i.test(head.headers.get('connection') ?? '');
    this.#answer = { ...head, body, isReusable: isDelimited && !isClosing && !isEnded };
  }
}

function parseHead(text: string): Head {
  const [first = '', ...lines] = text.split('\r\n');
  const status = /^HTTP\/1\.[01] (\d{3})( |$)/.exec(first)?.[1];
  if (status === undefined) throw new Error(`expected a status line, got ${JSON.stringify(first.slice(0, 200))}`);
  const headers = new Map<string, string>();
  for (const line of lines) {
    const [, name = '', value = ''] = /^([^:\s]+):[ \t]*(.*?)[ \t]*$/.exec(line) ?? [];
    if (name === '') throw new Error(`expected a header, got ${JSON.stringify(line.slice(0, 200))}`);
    const before = headers.get(name.toLowerCase());
    headers.set(name.toLowerCase(), before === undefined ? value : `${before}, ${value}`);
  }
  return { status: Number(status), headers };
}

const isWithoutBody = (status: number): boolean => status === 204 || status === 304;
const isFramed = ({ headers }: Head): boolean => headers.has('content-length') || headers.has('transfer-encoding');

/** Undefined until the body is complete. */
function readBody({ status, headers }: Head, bytes: Buffer, isEnded: boolean): Buffer | undefined {
  if (isWithoutBody(status)) return Buffer.alloc(0);
  if (/\bchunked\b/i.test(headers.get('transfer-encoding') ?? '')) return readChunks(bytes);
  const length = headers.get('content-length');
  if (length === undefined) return isEnded ? bytes : undefined;
  return bytes.length >= Number(length) ? bytes.subarray(0, Number(length)) : undefined;
}

function readChunks(bytes: Buffer): Buffer | undefined {
  const chunks: Buffer[] = [];
  let offset = 0;
  for (;;) {
    const lineEnd = bytes.indexOf('\r\n', offset);
    if (lineEnd === -1) return undefined;
    const size = Number.parseInt(bytes.toString('latin1', offset, lineEnd), 16);
    if (!(size >= 0)) throw new Error('expected the size of a chunk, got another text');
    const end = lineEnd + 2 + size;
    if (bytes.length < end + 2) return undefined;
    if (size === 0) return Buffer.concat(chunks);
    chunks.push(bytes.subarray(lineEnd + 2, end));
    offset = end + 2;
  }
}
