// One gRPC connection to Bigtable, primed before use: the first calls on a cold connection take seconds.
import { v2 } from '@google-cloud/bigtable';
import { protos } from '@google-cloud/bigtable-api';
import { type Client, type ClientReadableStream, Metadata } from '@grpc/grpc-js';
import { systemClock } from '../../../shared/runtime/clock.ts';
import type { EarshotError } from '../../../shared/wire/errors.ts';
import { grpcCodeOf, toTableError, UNIMPLEMENTED } from '../bigtable-error.ts';
import { type BigtableAddress, clientOptions, instanceNameOf, openClient } from '../connection.ts';
import './stream-decoder.ts';

const messages = protos.google.bigtable.v2;

export type ReadRowsRequest = Parameters<typeof messages.ReadRowsRequest.encode>[0];
export type ReadRowsResponse = ReturnType<typeof messages.ReadRowsResponse.decode>;
export type ResponseStream = ClientReadableStream<ReadRowsResponse>;

/** The first must exist; its cluster need not be available. A missing one of the others is skipped. */
export type AppProfiles = readonly [string, ...string[]];

export interface Channel {
  readonly client: v2.BigtableClient;
  readonly stub: Client;
  calls: number;
  /** A retired channel closes after its last call. */
  isRetired: boolean;
}

/** Priming across an ocean takes a few seconds. */
const WARM_TIMEOUT_MS = 10_000;

/** Rejects with an EarshotError of source `table` if the connection cannot be primed. */
export async function openChannel(
  address: BigtableAddress,
  appProfiles: AppProfiles,
  onError: (error: unknown) => void,
): Promise<Channel> {
  // Without a pool of its own, all clients of this address would share one connection.
  const client = new v2.BigtableClient({ ...clientOptions(address), 'grpc.use_local_subchannel_pool': 1 });
  const stub = await openClient(client);
  try {
    await primeAll(client, instanceNameOf(address), appProfiles, onError);
    return { client, stub, calls: 0, isRetired: false };
  } catch (error) {
    await client.close();
    throw error;
  }
}

/** An unavailable cluster fails the channel only if all are unavailable. A missing first profile always does. */
async function primeAll(
  client: v2.BigtableClient,
  instanceName: string,
  [first, ...others]: AppProfiles,
  onError: (error: unknown) => void,
): Promise<void> {
  const error = await prime(client, instanceName, first);
  if (error?.retryable === false) throw error;
  const errors = [];
  for (const appProfileId of others) errors.push(await prime(client, instanceName, appProfileId));
  if (error !== undefined && !errors.includes(undefined)) throw error;
  for (const each of [error, ...errors]) if (each !== undefined) onError(each);
}

/** Returns the error instead of throwing it. A server without this method needs no priming. */
async function prime(client: v2.BigtableClient, name: string, appProfileId: string): Promise<EarshotError | undefined> {
  try {
    await client.pingAndWarm({ name, appProfileId }, { timeout: WARM_TIMEOUT_MS, retry: null });
    return undefined;
  } catch (error) {
    const isUnimplemented = grpcCodeOf(error) === UNIMPLEMENTED;
    return isUnimplemented ? undefined : toTableError(error, `priming a connection for ${appProfileId}`);
  }
}

export function startCall(channel: Channel, request: ReadRowsRequest, timeoutMs: number): ResponseStream {
  const stream = channel.stub.makeServerStreamRequest(
    READ_ROWS_PATH,
    encodeRequest,
    decodeResponse,
    request,
    makeMetadata(request),
    // gRPC's timers run on the system clock.
    { deadline: systemClock.now() + timeoutMs },
  );
  channel.calls++;
  return stream;
}

export function endCall(channel: Channel): void {
  channel.calls--;
  closeIfUnused(channel);
}

export function retireChannel(channel: Channel): void {
  channel.isRetired = true;
  closeIfUnused(channel);
}

function closeIfUnused({ client, calls, isRetired }: Channel): void {
  if (isRetired && calls === 0) void client.close();
}

const READ_ROWS_PATH = '/google.bigtable.v2.Bigtable/ReadRows';

const encodeRequest = (request: ReadRowsRequest): Buffer =>
  Buffer.from(messages.ReadRowsRequest.encode(request).finish());

const decodeResponse = (bytes: Buffer): ReadRowsResponse => messages.ReadRowsResponse.decode(bytes);

/** This client understands `last_scanned_row_key`: the progress of a server that finds no rows. */
const FEATURES = Buffer.from(messages.FeatureFlags.encode({ lastScannedRowResponses: true }).finish()).toString(
  'base64url',
);

/** The service routes by `x-goog-request-params` without decoding the request (AIP-4222). */
function makeMetadata({ tableName, appProfileId }: ReadRowsRequest): Metadata {
  const metadata = new Metadata();
  metadata.set(
    'x-goog-request-params',
    `table_name=${encodeURIComponent(tableName ?? '')}&app_profile_id=${encodeURIComponent(appProfileId ?? '')}`,
  );
  metadata.set('bigtable-features', FEATURES);
  return metadata;
}
