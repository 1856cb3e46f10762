// Google's clients, connected to a server on this machine: the high-level client and the generated one below it.
import { randomUUID } from 'node:crypto';
import { Bigtable, v2 } from '@google-cloud/bigtable';
import { credentials } from '@grpc/grpc-js';

// Otherwise the auth library queries the cloud's metadata server and warns about the missing answer.
process.env.METADATA_SERVER_DETECTION = 'none';

export const PROJECT = 'contract';
/** A new instance per test file: an emulator that runs already keeps earlier data. */
export const INSTANCE = `local-${randomUUID().slice(0, 8)}`;
export const INSTANCE_NAME = `projects/${PROJECT}/instances/${INSTANCE}`;

/** The client's own deadline is 12 hours. */
export const gaxOptions = { timeout: 60_000 };

/**
 * Disables retries of the generated client: it repeats a failed streaming call twice over some seconds, whatever the
 * error is.
 */
export const noRetry = { ...gaxOptions, retry: null, retryRequestOptions: { retries: 0, noResponseRetries: 0 } };

export interface Clients {
  bigtable: Bigtable;
  data: v2.BigtableClient;
  tableAdmin: v2.BigtableTableAdminClient;
  instanceAdmin: v2.BigtableInstanceAdminClient;
  close(): Promise<void>;
}

export function connect(endpoint: string): Clients {
  const bigtable = new Bigtable({ projectId: PROJECT, apiEndpoint: endpoint, metricsEnabled: false });
  const [servicePath = '', port = ''] = endpoint.split(':');
  const options = { projectId: PROJECT, servicePath, port: Number(port), sslCreds: credentials.createInsecure() };
  const generated = {
    data: new v2.BigtableClient(options),
    tableAdmin: new v2.BigtableTableAdminClient(options),
    instanceAdmin: new v2.BigtableInstanceAdminClient(options),
  };
  return {
    bigtable,
    ...generated,
    close: async () => {
      await Promise.all([bigtable.close(), ...Object.values(generated).map((client) => client.close())]);
    },
  };
}

export interface RawCell {
  key: string;
  column: string;
  micros: number;
  value: Buffer;
}

type ReadRequest = Parameters<v2.BigtableClient['readRows']>[0];

/** Every cell of the answer with its chunks merged; keys and qualifiers as latin1. */
export async function readCells(data: v2.BigtableClient, request: ReadRequest): Promise<RawCell[]> {
  const cells: RawCell[] = [];
  let [key, family, qualifier] = ['', '', ''];
  let pieces: Buffer[] = [];
  let micros = 0;
  for (const { chunks } of await collect<{ chunks: Chunk[] }>(data.readRows(request, noRetry))) {
    for (const chunk of chunks) {
      if (chunk.rowKey.length > 0) key = chunk.rowKey.toString('latin1');
      if (chunk.familyName !== null) family = chunk.familyName.value;
      if (chunk.qualifier !== null) qualifier = chunk.qualifier.value.toString('latin1');
      if (pieces.length === 0) micros = Number(chunk.timestampMicros);
      pieces.push(chunk.value);
      if (chunk.valueSize > 0) continue;
      cells.push({ key, column: `${family}:${qualifier}`, micros, value: Buffer.concat(pieces) });
      pieces = [];
    }
  }
  return cells;
}

interface Chunk {
  rowKey: Buffer;
  familyName: { value: string } | null;
  qualifier: { value: Buffer } | null;
  timestampMicros: string | number;
  value: Buffer;
  valueSize: number;
}

/** All messages of a streaming call. The client's streams predate Node's `toArray`. */
export async function collect<T>(stream: AsyncIterable<unknown>): Promise<T[]> {
  const messages: T[] = [];
  for await (const message of stream) messages.push(message as T);
  return messages;
}

/** The gRPC code of the call's error, or `none`. */
export async function codeOf(call: Promise<unknown>): Promise<unknown> {
  try {
    await call;
    return 'no error';
  } catch (error) {
    return (error as { code?: unknown }).code;
  }
}
