// A Bigtable that answers ReadRows from a script, call by call, over real gRPC: for streams that a correct server never
// sends.
import { Server, ServerCredentials, type ServerWritableStream, type ServiceDefinition, status } from '@grpc/grpc-js';
import { onTestFinished } from 'vitest';
import { loadProtocol } from '../../../../dev/bigtable/wire/protocol.ts';
import type { BigtableAddress } from '../../../../origin/bigtable/connection.ts';

/** A CellChunk of the script: bytes are base64 or a Buffer. */
export type ScriptedChunk = Readonly<Record<string, unknown>>;

/**
 * One message of the stream: whole rows (each with its key as value), the start of a row, the last scanned key, or raw
 * chunks.
 */
export type ScriptedMessage =
  | { readonly rows: readonly string[] }
  | { readonly half: string }
  | { readonly scanned: string }
  | { readonly chunks: readonly ScriptedChunk[] };

export interface ScriptedAnswer {
  readonly messages?: readonly ScriptedMessage[];
  /** The stream's status: a gRPC code by number or name. Default: OK. */
  readonly endsWith?: number | string;
  /** The stream stays open until its caller cancels the call. Default: false. */
  readonly isHeld?: boolean;
}

export interface ScriptedBigtable {
  readonly address: BigtableAddress;
  /** The keys of each ReadRows call, in the order of their arrival. */
  readonly asked: string[][];
  /** The connection of each ReadRows call. */
  readonly peers: string[];
}

interface Request {
  readonly rows: { readonly rowKeys: readonly Buffer[] };
}

/** Ends with the test. A call beyond the script fails with DATA_LOSS, so that the test sees it. */
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

/** Cached, because reading the .proto files takes 100 ms. */
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
