// Faults of a cluster, set while the server runs. They strike calls on data, before any work is done; replication is
// separate.
import { status } from '@grpc/grpc-js';
import { z } from 'zod';
import type { Clock } from '../../shared/runtime/clock.ts';
import { StatusError, unavailable } from './wire/status.ts';

const errorCodes = Object.keys(status).filter((name) => name !== 'OK' && Number.isNaN(Number(name)));
const share = z.number().min(0).max(1);

export const faultSchema = z.strictObject({
  /** Added to calls, in milliseconds. Default: 0. */
  latencyMs: z.number().min(0).max(600_000).optional(),
  /** Share of calls that latency and jitter are added to, 0 to 1. Default: 1. */
  latencyShare: share.optional(),
  /** Up to this much more, evenly spread, in milliseconds. Default: 0. */
  jitterMs: z.number().min(0).max(600_000).optional(),
  /** The gRPC status of injected errors. Default: UNAVAILABLE. */
  errorCode: z.enum(errorCodes as [keyof typeof status, ...(keyof typeof status)[]]).optional(),
  /** Share of calls that fail, 0 to 1. Default: 1 when `errorCode` is given alone, else 0. */
  errorShare: share.optional(),
  /** Share of MutateRows entries that fail while the call and the other entries succeed, 0 to 1. Default: 0. */
  entryErrorShare: share.optional(),
  /** Share of ReadRows calls that break off inside a row with the error, 0 to 1. Default: 0. */
  cutShare: share.optional(),
  /**
   * Row keys that ReadRows calls are answered for in a second, one call after the other, 1 to 1 000 000 000. Default:
   * as many as it can.
   */
  rowsPerSecond: z.number().min(1).max(1_000_000_000).optional(),
  /** Every call fails at once as UNAVAILABLE, and multi-cluster profiles go elsewhere. Default: false. */
  down: z.boolean().optional(),
  /** Calls are taken and never answered, until the caller gives up. Default: false. */
  blackHole: z.boolean().optional(),
});

export type Fault = z.infer<typeof faultSchema>;

/** The part of a gRPC call that waiting on it needs. */
export interface HeldCall {
  readonly cancelled: boolean;
  once(event: 'cancelled', listener: () => void): unknown;
  removeListener(event: 'cancelled', listener: () => void): unknown;
}

export class Faults {
  readonly #byCluster = new Map<string, Fault>();
  /** Until when each is busy with the reads that it has taken, on the monotonic clock. */
  readonly #busyUntilMs = new Map<string, number>();
  readonly #clock: Clock;
  readonly #random: () => number;

  constructor(clock: Clock, random: () => number) {
    this.#clock = clock;
    this.#random = random;
  }

  get(cluster: string): Fault {
    return this.#byCluster.get(cluster) ?? {};
  }

  set(cluster: string, fault: Fault): void {
    this.#byCluster.set(cluster, fault);
  }

  isDown(cluster: string): boolean {
    return this.#byCluster.get(cluster)?.down === true;
  }

  /**
   * Lets a call in, now or after the cluster's latency. False: the caller has gone, and nothing is to be done or
   * answered. Throws the cluster's injected error.
   */
  async admit(cluster: string, call: HeldCall): Promise<boolean> {
    const fault = this.get(cluster);
    if (fault.down) throw unavailable(`cluster '${cluster}' is down`);
    if (fault.blackHole) return this.#hold(call, undefined);
    const delayMs = this.#isDelayed(fault)
      ? (fault.latencyMs ?? 0) + (fault.jitterMs ? fault.jitterMs * this.#random() : 0)
      : 0;
    if (delayMs > 0 && !(await this.#hold(call, delayMs))) return false;
    if (this.#strikes(fault.errorShare ?? (fault.errorCode === undefined ? 0 : 1))) throw injected(fault);
    return true;
  }

  /**
   * Waits until the cluster, where it has a capacity, has come to the call and read its keys; a call whose caller goes
   * meanwhile has taken its part all the same. False: the caller has gone.
   */
  async takeTurn(cluster: string, keys: number, call: HeldCall): Promise<boolean> {
    const { rowsPerSecond } = this.get(cluster);
    if (rowsPerSecond === undefined) return true;
    const nowMs = this.#clock.monotonicNow();
    const doneAtMs = Math.max(nowMs, this.#busyUntilMs.get(cluster) ?? 0) + (keys * 1000) / rowsPerSecond;
    this.#busyUntilMs.set(cluster, doneAtMs);
    return this.#hold(call, doneAtMs - nowMs);
  }

  /** The error with which a ReadRows call breaks off, when it is its turn to. */
  cutError(cluster: string): StatusError | undefined {
    const fault = this.get(cluster);
    return this.#strikes(fault.cutShare ?? 0) ? injected(fault) : undefined;
  }

  /** The error of one MutateRows entry, when it is that entry's turn to fail. */
  entryError(cluster: string): StatusError | undefined {
    const fault = this.get(cluster);
    return this.#strikes(fault.entryErrorShare ?? 0) ? injected(fault) : undefined;
  }

  /** No chance is drawn where there is nothing to decide. */
  #isDelayed({ latencyShare }: Fault): boolean {
    return latencyShare === undefined || this.#strikes(latencyShare);
  }

  #strikes(shareOfCalls: number): boolean {
    return shareOfCalls > 0 && this.#random() < shareOfCalls;
  }

  /** Waits `delayMs` (undefined: for ever), or until the caller has gone; then the timer goes too. */
  #hold(call: HeldCall, delayMs: number | undefined): Promise<boolean> {
    if (call.cancelled) return Promise.resolve(false);
    return new Promise((resolve) => {
      const onCancelled = () => {
        cancelTimer?.();
        resolve(false);
      };
      const cancelTimer =
        delayMs === undefined
          ? undefined
          : this.#clock.setTimeout(() => {
              call.removeListener('cancelled', onCancelled);
              resolve(true);
            }, delayMs);
      call.once('cancelled', onCancelled);
    });
  }
}

function injected(fault: Fault): StatusError {
  const code = fault.errorCode ?? 'UNAVAILABLE';
  return new StatusError(status[code], `injected ${code}`);
}
