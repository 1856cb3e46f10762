// Faults of a cluster, changeable while the server runs. They apply to data calls before any work starts. Replication
// is separate.
import { status } from '@grpc/grpc-js';
import { z } from 'zod';
import type { Clock } from '../../shared/runtime/clock.ts';
import { StatusError, unavailable } from './wire/status.ts';

const errorCodes = Object.keys(status).filter((name) => name !== 'OK' && Number.isNaN(Number(name)));
const share = z.number().min(0).max(1);

export const faultSchema = z.strictObject({
  /** Latency added to calls, in milliseconds. Default: 0. */
  latencyMs: z.number().min(0).max(600_000).optional(),
  /** Share of calls that get the latency and jitter, 0 to 1. Default: 1. */
  latencyShare: share.optional(),
  /** Maximum additional latency, uniformly distributed, in milliseconds. Default: 0. */
  jitterMs: z.number().min(0).max(600_000).optional(),
  /** The gRPC status of injected errors. Default: UNAVAILABLE. */
  errorCode: z.enum(errorCodes as [keyof typeof status, ...(keyof typeof status)[]]).optional(),
  /** Share of calls that fail, 0 to 1. Default: 1 when `errorCode` is given alone, else 0. */
  errorShare: share.optional(),
  /** Share of calls that do their work and then answer with the error, 0 to 1. Default: 0. */
  lostAnswerShare: share.optional(),
  /** Share of MutateRows entries that fail while the call and the other entries succeed, 0 to 1. Default: 0. */
  entryErrorShare: share.optional(),
  /** Factor of flow control in answers to MutateRows, for clients that announce it, 0.1 to 10. Default: none. */
  flowControlFactor: z.number().min(0.1).max(10).optional(),
  /** Share of ReadRows calls that end with the error inside a row, 0 to 1. Default: 0. */
  cutShare: share.optional(),
  /** Row keys that ReadRows calls read per second, one call after the other, 1 to 1 000 000 000. Default: unlimited. */
  rowsPerSecond: z.number().min(1).max(1_000_000_000).optional(),
  /** Every call fails immediately with UNAVAILABLE, and multi-cluster profiles use another cluster. Default: false. */
  down: z.boolean().optional(),
  /** Calls are accepted and never answered; they end when the caller cancels. Default: false. */
  blackHole: z.boolean().optional(),
});

export type Fault = z.infer<typeof faultSchema>;

/** The members of a gRPC call that a delay needs. */
export interface CancellableCall {
  readonly cancelled: boolean;
  once(event: 'cancelled', listener: () => void): unknown;
  removeListener(event: 'cancelled', listener: () => void): unknown;
}

export class Faults {
  readonly #byCluster = new Map<string, Fault>();
  /** End of the reads that each cluster has queued, on the monotonic clock. */
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
   * Admits a call, immediately or after the cluster's latency. Returns false if the caller has cancelled; the call must
   * then do no work. Throws the cluster's injected error.
   */
  async admit(cluster: string, call: CancellableCall): Promise<boolean> {
    const fault = this.get(cluster);
    if (fault.down) throw unavailable(`cluster '${cluster}' is down`);
    if (fault.blackHole) return this.#delay(call, undefined);
    const delayMs = this.#isDelayed(fault)
      ? (fault.latencyMs ?? 0) + (fault.jitterMs ? fault.jitterMs * this.#random() : 0)
      : 0;
    if (delayMs > 0 && !(await this.#delay(call, delayMs))) return false;
    if (this.#strikes(fault.errorShare ?? (fault.errorCode === undefined ? 0 : 1))) throw injected(fault);
    return true;
  }

  /**
   * Waits until a cluster with limited capacity has read the call's keys. A cancelled call still uses its share of the
   * capacity. Returns false if the caller has cancelled.
   */
  async waitForCapacity(cluster: string, keys: number, call: CancellableCall): Promise<boolean> {
    const { rowsPerSecond } = this.get(cluster);
    if (rowsPerSecond === undefined) return true;
    const nowMs = this.#clock.monotonicNow();
    const doneAtMs = Math.max(nowMs, this.#busyUntilMs.get(cluster) ?? 0) + (keys * 1000) / rowsPerSecond;
    this.#busyUntilMs.set(cluster, doneAtMs);
    return this.#delay(call, doneAtMs - nowMs);
  }

  /** The error in place of the answer of a call that has done its work, if the fault picks the call. */
  lostAnswer(cluster: string): StatusError | undefined {
    const fault = this.get(cluster);
    return this.#strikes(fault.lostAnswerShare ?? 0) ? injected(fault) : undefined;
  }

  /** The error that ends a ReadRows call inside a row, if the fault picks the call. */
  cutError(cluster: string): StatusError | undefined {
    const fault = this.get(cluster);
    return this.#strikes(fault.cutShare ?? 0) ? injected(fault) : undefined;
  }

  /** The error of one MutateRows entry, if the fault picks the entry. */
  entryError(cluster: string): StatusError | undefined {
    const fault = this.get(cluster);
    return this.#strikes(fault.entryErrorShare ?? 0) ? injected(fault) : undefined;
  }

  /** Draws no random number if there is nothing to decide. */
  #isDelayed({ latencyShare }: Fault): boolean {
    return latencyShare === undefined || this.#strikes(latencyShare);
  }

  #strikes(shareOfCalls: number): boolean {
    return shareOfCalls > 0 && this.#random() < shareOfCalls;
  }

  /** Waits `delayMs` (undefined: for ever) or until the caller cancels. Cancellation clears the timer. */
  #delay(call: CancellableCall, delayMs: number | undefined): Promise<boolean> {
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
