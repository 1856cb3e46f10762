// A row of the tables of hostile requests, and the request that it describes. It runs in workerd and in Node.

/** One byte per character. A repetition or a list of texts keeps long ones short in the table. */
export type Text = string | { readonly repeat: readonly [Text, number] } | readonly Text[];

export interface Expected {
  readonly status: number | 'closed';
  /** Code of the problem; null: the answer is no problem of Earshot. */
  readonly code: string | null;
  /** The counter that grows by exactly one; null: none of those that are watched. */
  readonly counter: string | null;
  /** Statuses of a batch's reads. */
  readonly reads?: readonly number[];
}

export interface HostileRow extends Expected {
  readonly name: string;
  /** Default: GET. */
  readonly method?: string;
  readonly path: Text;
  /** Name in the table of tokens. Default: a valid token of `listener:1`, and at an origin that of the edge. */
  readonly token?: string;
  /** `Authorization` as it is, beside the one of `token` if both are there; `$TOKEN` is the token's text. */
  readonly authorization?: Text;
  /** A list of values repeats the header. */
  readonly headers?: Readonly<Record<string, Text | { readonly each: readonly Text[] }>>;
  readonly body?: Text;
  /** The body is sent in chunks, without a length. */
  readonly isChunked?: boolean;
  /** The client closes its direction after these bytes: the server would wait for more. */
  readonly isCut?: boolean;
  /** Version and lines of the head instead of those that follow from the row: `\n` ends a line. */
  readonly version?: string;
  /** The same request this many times before it. */
  readonly after?: number;
  /** Variables of the worker for this row. The local cloud has none of them. */
  readonly env?: Readonly<Record<string, unknown>>;
  /** Where the row runs, if not at both. */
  readonly only?: 'workerd' | 'cloud';
  /** The reason for an answer that is not Earshot's. */
  readonly because?: string;
}

export type HeaderPair = readonly [name: string, value: string];

export interface BuiltRequest {
  readonly method: string;
  readonly path: string;
  readonly headers: readonly HeaderPair[];
  readonly body: string | undefined;
  readonly row: HostileRow;
}

export const expand = (text: Text): string => {
  if (typeof text === 'string') return text;
  if ('repeat' in text) return expand(text.repeat[0]).repeat(text.repeat[1]);
  return text.map(expand).join('');
};

export function buildRequest(row: HostileRow, token: string | undefined): BuiltRequest {
  const headers: HeaderPair[] = [];
  const { authorization } = row;
  if (authorization !== undefined)
    headers.push(['Authorization', expand(authorization).replaceAll('$TOKEN', token ?? '')]);
  if (token !== undefined && !JSON.stringify(authorization ?? '').includes('$TOKEN'))
    headers.push(['Authorization', `Bearer ${token}`]);
  for (const [name, value] of Object.entries(row.headers ?? {})) {
    const values = typeof value === 'object' && 'each' in value ? value.each : [value];
    for (const each of values) headers.push([name, expand(each)]);
  }
  const body = row.body === undefined ? undefined : expand(row.body);
  return { method: row.method ?? 'GET', path: expand(row.path), headers, body, row };
}

/** The bytes of a text with one byte per character. */
export const bytesOf = (text: string): Uint8Array<ArrayBuffer> => Uint8Array.from(text, (char) => char.charCodeAt(0));

/** The request as HTTP/1.1. A row's own Host, Content-Length or Transfer-Encoding replaces the usual one. */
export function serializeRequest({ method, path, headers, body, row }: BuiltRequest): string {
  const has = (name: string): boolean => headers.some(([own]) => own.toLowerCase() === name);
  const isFramed = has('content-length') || has('transfer-encoding');
  const isChunked = row.isChunked === true;
  const lines = [
    ...(has('host') ? [] : ['Host: edge.example']),
    ...headers.map(([name, value]) => `${name}: ${value}`),
    ...(body === undefined || isFramed
      ? []
      : [isChunked ? 'Transfer-Encoding: chunked' : `Content-Length: ${body.length}`]),
  ];
  const head = `${method} ${path} ${row.version ?? 'HTTP/1.1'}\r\n${lines.map((line) => `${line}\r\n`).join('')}\r\n`;
  if (body === undefined) return head;
  return head + (isChunked ? `${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n` : body);
}
