// The pool of channels for reads. Each channel is replaced before Google's servers close it, which they do after an
// hour.
import type { Clock } from '../../../shared/runtime/clock.ts';
import type { Random } from '../../../shared/runtime/random.ts';
import { EarshotError } from '../../../shared/wire/errors.ts';
import type { BigtableAddress } from '../connection.ts';
import {
  type AppProfiles,
  type Channel,
  endCall,
  openChannel,
  type ReadRowsRequest,
  type ResponseStream,
  retireChannel,
  startCall,
} from './channel.ts';

export interface ReadChannelsOptions {
  readonly address: BigtableAddress;
  readonly appProfiles: AppProfiles;
  /** Number of connections. One would carry all calls; the others help when one stalls. */
  readonly count: number;
  /** Milliseconds that a channel is used, minus a random fifth at most. Default: 3 000 000. */
  readonly lifetimeMs?: number;
  readonly clock: Clock;
  readonly random: Random;
  readonly onError: (error: unknown) => void;
}

const DEFAULT_LIFETIME_MS = 3_000_000;
const LIFETIME_JITTER = 0.2;
/** Milliseconds until a failed replacement is tried again. */
const RETRY_AFTER_MS = 30_000;

export class ReadChannels {
  readonly #options: ReadChannelsOptions;
  readonly #channels: Channel[] = [];
  /** Members drop their stream at its end: the Set references them for longer (docs/decisions/0019). */
  readonly #calls = new Set<{ stream: ResponseStream | undefined }>();
  readonly #cancelReplacements = new Set<() => void>();
  #warming: Promise<void> | undefined;
  #isClosed = false;

  constructor(options: ReadChannelsOptions) {
    this.#options = options;
  }

  /** Opens and primes all channels. Rejects with an EarshotError of source `table` if one fails. */
  warm(): Promise<void> {
    this.#warming ??= this.#openMissing().finally(() => {
      this.#warming = undefined;
    });
    return this.#warming;
  }

  /** Whether all channels have been primed. */
  isWarm(): boolean {
    return this.#channels.length === this.#options.count;
  }

  isClosed(): boolean {
    return this.#isClosed;
  }

  /** Starts a ReadRows call on the channel with the fewest calls. Undefined while none is open. */
  readRows(request: ReadRowsRequest, timeoutMs: number): ResponseStream | undefined {
    const channel = this.#pickChannel();
    if (channel === undefined) return undefined;
    const stream = startCall(channel, request, timeoutMs);
    const call: { stream: ResponseStream | undefined } = { stream };
    this.#calls.add(call);
    stream.once('status', () => {
      this.#calls.delete(call);
      call.stream = undefined;
      endCall(channel);
    });
    return stream;
  }

  /** Fails calls in flight. No call starts later. */
  async close(): Promise<void> {
    this.#isClosed = true;
    for (const cancel of this.#cancelReplacements) cancel();
    // A closed client lets its calls run, up to their deadline.
    for (const { stream } of this.#calls) stream?.cancel();
    await Promise.all(this.#channels.map(({ client }) => client.close()));
  }

  #pickChannel(): Channel | undefined {
    let picked = this.#isClosed ? undefined : this.#channels[0];
    if (picked === undefined) return undefined;
    for (const channel of this.#channels) if (channel.calls < picked.calls) picked = channel;
    return picked;
  }

  async #openMissing(): Promise<void> {
    if (this.#isClosed) throw closedError();
    const length = this.#options.count - this.#channels.length;
    const opened = await Promise.allSettled(Array.from({ length }, () => this.#openChannel()));
    for (const each of opened) {
      if (each.status === 'rejected') continue;
      if (this.#isClosed) await each.value.client.close();
      else this.#replaceLater(this.#channels.push(each.value) - 1, this.#nextLifetimeMs());
    }
    if (this.#isClosed) throw closedError();
    const failed = opened.find((each) => each.status === 'rejected');
    if (failed !== undefined) throw failed.reason;
  }

  #openChannel(): Promise<Channel> {
    const { address, appProfiles, onError } = this.#options;
    return openChannel(address, appProfiles, onError);
  }

  #nextLifetimeMs(): number {
    const { lifetimeMs = DEFAULT_LIFETIME_MS, random } = this.#options;
    return lifetimeMs * (1 - LIFETIME_JITTER * random());
  }

  #replaceLater(slot: number, afterMs: number): void {
    const cancel = this.#options.clock.setTimeout(() => {
      this.#cancelReplacements.delete(cancel);
      void this.#replace(slot);
    }, afterMs);
    this.#cancelReplacements.add(cancel);
  }

  async #replace(slot: number): Promise<void> {
    try {
      const channel = await this.#openChannel();
      if (this.#isClosed) {
        void channel.client.close();
        return;
      }
      const old = this.#channels[slot];
      this.#channels[slot] = channel;
      if (old !== undefined) retireChannel(old);
      this.#replaceLater(slot, this.#nextLifetimeMs());
    } catch (error) {
      this.#options.onError(error);
      if (!this.#isClosed) this.#replaceLater(slot, RETRY_AFTER_MS);
    }
  }
}

export const closedError = (): EarshotError =>
  new EarshotError('unavailable', 'table', 'the connections to Bigtable are closed');
