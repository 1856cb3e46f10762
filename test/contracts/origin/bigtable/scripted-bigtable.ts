// A Bigtable that answers ReadRows as a script says, call by call, over real gRPC: for streams that no well-behaved
// server sends.
import { Server, ServerCredentials, type ServerWritableStream, type ServiceDefinition, status } from '@grpc/grpc-js';
import { onTestFinished } from 'vitest';
import { loadProtocol } from '../../../../dev/bigtable/wire/protocol.ts';
import type { BigtableAddress } from '../../../../origin/bigtable/connection.ts';

/** A CellChunk as the script writes it: bytes as base64 or a Buffer. */
export type ScriptedChunk = Readonly<Record<string, unknown>>;

/**
 * One message of the stream: whole rows (each with its key as value), the beginning of one, how far the server has
 * come, or chunks as they are.
 */
export type ScriptedMessage =
  | { readonly rows: readonly string[] }
  | { readonly half: string }
  | { readonly scanned: string }
  | { readonly chunks: readonly ScriptedChunk[] };

export interface ScriptedAnswer {
  readonly messages?: readonly ScriptedMessage[];
  /** How the stream ends: a gRPC code by its number or name. Default: it ends well. */
  readonly endsWith?: number | string;
  /** Neither ended nor failed: the call stays out until its caller cancels it. Default: false. */
  readonly isHeld?: boolean;
}

export interface ScriptedBigtable {
  readonly address: BigtableAddress;
  /** The keys of each ReadRows call, in the order of their arrival. */
  readonly asked: string[][];
  /** The connection that each ReadRows call came on. */
  readonly peers: string[];
}

interface Request {
  readonly rows: { readonly rowKeys: readonly Buffer[] };
}

/** Ends with the test. A call beyond the script fails as DATA_LOSS, so that a test meets it. */
export async function startScriptedBigtable(script: readonly ScriptedAnswer[]): Promise<ScriptedBigtable> {
  const asked: string[][] = [];
  const peers: string[] = [];
  const server = new Server();
  server.addService(dataService(), {
    readRows: (call: ServerWritableStream<Request, object>) => {
      const answer = script[asked.length] ?? { endsWith: 'DATA_LOSS' };
      asked.push(call.request.rows.rowKeys.map((key) => key.toString('latin1')));
      peers.push(call.getPeer());
      play(call, answer);
    },
    pingAndWarm: (_call: unknown, callback: (error: null, answer: object) => void) => callback(null, {}),
  });
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) =>
      error === null ? resolve(bound) : reject(error),
    );
  });
  onTestFinished(() => server.forceShutdown());
  return {
    address: { project: 'contract', instance: 'recs', emulatorHost: `127.0.0.1:${port}` },
    asked,
    peers,
  };
}

/** Reading the .proto files takes 100 ms: once is enough. */
let loaded: ServiceDefinition | undefined;
const dataService = (): ServiceDefinition => (loaded ??= loadProtocol().data);

function play(call: ServerWritableStream<Request, object>, { messages = [], endsWith, isHeld }: ScriptedAnswer): void {
  for (const message of messages) call.write(toResponse(message));
  if (isHeld) return;
  if (endsWith === undefined) call.end();
  else call.emit('error', { code: codeOf(endsWith), details: `scripted ${endsWith}` });
}

function toResponse(message: ScriptedMessage): object {
  if ('rows' in message) return { chunks: message.rows.map((key) => ({ ...cellOf(key), commitRow: true })) };
  if ('half' in message) return { chunks: [cellOf(message.half)] };
  if ('scanned' in message) return { chunks: [], lastScannedRowKey: Buffer.from(message.scanned) };
  return { chunks: message.chunks };
}

const cellOf = (key: string): ScriptedChunk => ({
  rowKey: Buffer.from(key),
  familyName: { value: 'l' },
  qualifier: { value: Buffer.from('q') },
  timestampMicros: 1000,
  value: Buffer.from(key),
});

function codeOf(code: number | string): number {
  const known = typeof code === 'number' ? code : status[code as keyof typeof status];
  if (known === undefined) throw new Error(`expected a gRPC code, got ${code}`);
  return known;
}
