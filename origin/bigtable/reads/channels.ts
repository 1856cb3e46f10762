// The channels that reads go out on: so many gRPC connections to one address, opened and primed before they are used, and replaced before
// Google's servers would close them (after an hour), because the first calls on a cold connection take seconds.
import { v2 } from '@google-cloud/bigtable';
import { protos } from '@google-cloud/bigtable-api';
import { type Client, type ClientReadableStream, Metadata } from '@grpc/grpc-js';
import { type Clock, systemClock } from '../../../shared/runtime/clock.ts';
import type { Random } from '../../../shared/runtime/random.ts';
import { EarshotError } from '../../../shared/wire/errors.ts';
import { grpcCodeOf, toTableError, UNIMPLEMENTED } from '../bigtable-error.ts';
import { type BigtableAddress, clientOptions, openClient } from '../connection.ts';
import './stream-decoder.ts';

const messages = protos.google.bigtable.v2;

export type ReadRowsRequest = Parameters<typeof messages.ReadRowsRequest.encode>[0];
export type ReadRowsResponse = ReturnType<typeof messages.ReadRowsResponse.decode>;
export type ResponseStream = ClientReadableStream<ReadRowsResponse>;

export interface ReadChannels {
  /** Opens every channel and primes it for the app profiles. Rejects with an EarshotError of source `table` when one cannot be. */
  warm(): Promise<void>;
  /** Whether all channels were primed, ever. */
  isWarm(): boolean;
  /** Begins a ReadRows call on the channel with the fewest calls; undefined when none is open yet. */
  readRows(request: ReadRowsRequest, timeoutMs: number): ResponseStream | undefined;
  /** What is out ends with an error; nothing begins any more. */
  close(): Promise<void>;
  isClosed(): boolean;
}

export interface ReadChannelsOptions {
  readonly address: BigtableAddress;
  /** Those that reads are made with: the first has to be there, if not its cluster; one that is not there of the others is passed over. */
  readonly appProfiles: readonly [string, ...string[]];
  /** Connections. One takes 100 calls at once, which is more than a process can work on; the others keep one that stalls from stalling all. */
  readonly count: number;
  /** How long a channel is used, in milliseconds; each is replaced up to a fifth sooner, so that they do not go together. Default: 3 000 000 */
  readonly lifetimeMs?: number;
  readonly clock: Clock;
  readonly random: Random;
  readonly onError: (error: unknown) => void;
}

/** The slowest that priming was seen to be is a few seconds, on connections across an ocean. */
const WARM_TIMEOUT_MS = 10_000;
const DEFAULT_LIFETIME_MS = 3_000_000;
const LIFETIME_JITTER = 0.2;
/** A channel that could not be replaced is tried again after this long. */
const RETRY_AFTER_MS = 30_000;

interface Channel {
  readonly client: v2.BigtableClient;
  readonly stub: Client;
  calls: number;
  isRetired: boolean;
}

export function createReadChannels(options: ReadChannelsOptions): ReadChannels {
  const { address, appProfiles, count, lifetimeMs = DEFAULT_LIFETIME_MS, clock, random, onError } = options;
  const instanceName = `projects/${address.project}/instances/${address.instance}`;
  const channels: Channel[] = [];
  /** Members let go of their stream at its end: the Set keeps them for longer (docs/decisions/0019), and by a stream all that was read with it. */
  const out = new Set<{ stream: ResponseStream | undefined }>();
  const cancelReplacements = new Set<() => void>();
  let warming: Promise<void> | undefined;
  let isClosed = false;

  async function open(): Promise<Channel> {
    // Without a pool of its own every client of this address would share one connection.
    const client = new v2.BigtableClient({ ...clientOptions(address), 'grpc.use_local_subchannel_pool': 1 });
    const stub = await openClient(client);
    try {
      await primeAll(client);
      return { client, stub, calls: 0, isRetired: false };
    } catch (error) {
      await client.close();
      throw error;
    }
  }

  /** A cluster that is gone is no reason to do without the others; a profile that is not there is one. */
  async function primeAll(client: v2.BigtableClient): Promise<void> {
    const [first, ...others] = appProfiles;
    const why = await prime(client, first);
    if (why?.retryable === false) throw why;
    const whyNot = [];
    for (const appProfileId of others) whyNot.push(await prime(client, appProfileId));
    if (why !== undefined && !whyNot.includes(undefined)) throw why;
    for (const error of [why, ...whyNot]) if (error !== undefined) onError(error);
  }

  /** Why it could not be; undefined when it was. */
  async function prime(client: v2.BigtableClient, appProfileId: string): Promise<EarshotError | undefined> {
    try {
      await client.pingAndWarm({ name: instanceName, appProfileId }, { timeout: WARM_TIMEOUT_MS, retry: null });
      return undefined;
    } catch (error) {
      return grpcCodeOf(error) === UNIMPLEMENTED
        ? undefined
        : toTableError(error, `priming a connection for ${appProfileId}`);
    }
  }

  /** Swaps the channel at `slot` for a new one when its time has come; the old one ends with its last call. */
  function replaceLater(slot: number, afterMs: number): void {
    const cancel = clock.setTimeout(() => {
      cancelReplacements.delete(cancel);
      void open().then(
        (channel) => {
          if (isClosed) {
            void channel.client.close();
            return;
          }
          const old = channels[slot];
          channels[slot] = channel;
          if (old !== undefined) retire(old);
          replaceLater(slot, lifetimeWithJitter());
        },
        (error: unknown) => {
          onError(error);
          if (!isClosed) replaceLater(slot, RETRY_AFTER_MS);
        },
      );
    }, afterMs);
    cancelReplacements.add(cancel);
  }

  const lifetimeWithJitter = (): number => lifetimeMs * (1 - LIFETIME_JITTER * random());

  function retire(channel: Channel): void {
    channel.isRetired = true;
    if (channel.calls === 0) void channel.client.close();
  }

  function release(channel: Channel): void {
    channel.calls--;
    if (channel.isRetired && channel.calls === 0) void channel.client.close();
  }

  function pick(): Channel | undefined {
    let picked = isClosed ? undefined : channels[0];
    if (picked === undefined) return undefined;
    for (const channel of channels) if (channel.calls < picked.calls) picked = channel;
    return picked;
  }

  async function openMissing(): Promise<void> {
    if (isClosed) throw closedError();
    const opened = await Promise.allSettled(Array.from({ length: count - channels.length }, open));
    for (const each of opened) {
      if (each.status === 'rejected') continue;
      // Closed meanwhile: nobody would end it later.
      if (isClosed) await each.value.client.close();
      else replaceLater(channels.push(each.value) - 1, lifetimeWithJitter());
    }
    if (isClosed) throw closedError();
    const failed = opened.find((each) => each.status === 'rejected');
    if (failed !== undefined) throw failed.reason;
  }

  return {
    warm: () => {
      warming ??= openMissing().finally(() => {
        warming = undefined;
      });
      return warming;
    },
    isClosed: () => isClosed,
    isWarm: () => channels.length === count,
    readRows: (request, timeoutMs) => {
      const channel = pick();
      if (channel === undefined) return undefined;
      const stream = channel.stub.makeServerStreamRequest(
        READ_ROWS_PATH,
        (message: ReadRowsRequest) => Buffer.from(messages.ReadRowsRequest.encode(message).finish()),
        (bytes: Buffer) => messages.ReadRowsResponse.decode(bytes),
        request,
        makeMetadata(request),
        // gRPC's own timers run on the system's clock.
        { deadline: systemClock.now() + timeoutMs },
      );
      channel.calls++;
      const member: { stream: ResponseStream | undefined } = { stream };
      out.add(member);
      stream.once('status', () => {
        out.delete(member);
        member.stream = undefined;
        release(channel);
      });
      return stream;
    },
    close: async () => {
      isClosed = true;
      for (const cancel of cancelReplacements) cancel();
      // A client that is closed lets its calls go on, to their deadline if need be.
      for (const { stream } of out) stream?.cancel();
      await Promise.all(channels.map(({ client }) => client.close()));
    },
  };
}

const closedError = (): EarshotError =>
  new EarshotError('unavailable', 'table', 'the connections to Bigtable are closed');

const READ_ROWS_PATH = '/google.bigtable.v2.Bigtable/ReadRows';

/** That this client understands `last_scanned_row_key`: how far a server has come that finds nothing. */
const FEATURES = Buffer.from(messages.FeatureFlags.encode({ lastScannedRowResponses: true }).finish()).toString(
  'base64url',
);

/** The service routes by `x-goog-request-params` without opening the request (AIP-4222). */
function makeMetadata({ tableName, appProfileId }: ReadRowsRequest): Metadata {
  const metadata = new Metadata();
  metadata.set(
    'x-goog-request-params',
    `table_name=${encodeURIComponent(tableName ?? '')}&app_profile_id=${encodeURIComponent(appProfileId ?? '')}`,
  );
  metadata.set('bigtable-features', FEATURES);
  return metadata;
}
