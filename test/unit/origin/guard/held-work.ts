// Work that a test ends by hand, behind a bulkhead whose limit the test sets.
import { setImmediate } from 'node:timers/promises';
import { createManualClock } from '../../../../bench/support/manual-clock.ts';
import { type BulkheadOptions, type BulkheadRequest, createBulkhead } from '../../../../origin/guard/bulkhead.ts';
import type { ReadSample } from '../../../../origin/guard/concurrency-limit.ts';
import { ShedError } from '../../../../origin/guard/shed-error.ts';
import type { EarshotError } from '../../../../shared/wire/errors.ts';

export interface Work {
  readonly weight: number;
  readonly name: string;
  readonly remainingMs: number;
  resolve(): void;
  reject(error: unknown): void;
}

export function setUp(options: Partial<BulkheadOptions> & { slots?: number; expectMs?: number } = {}) {
  const clock = createManualClock();
  const samples: ReadSample[] = [];
  const shed: { reason: string; weight: number; priority: string }[] = [];
  const started: Work[] = [];
  let slots = options.slots ?? 100;
  const bulkhead = createBulkhead({
    clock,
    limit: {
      limit: () => slots,
      observe: (sample) => void samples.push(sample),
      expectMs: () => options.expectMs ?? 0,
    },
    onShed: (reason, weight, priority) => void shed.push({ reason, weight, priority }),
    ...options,
  });

  /** Submits `weight` keys. `settled` has the value or the error afterwards. */
  const request = (weight: number, rest: Partial<BulkheadRequest> & { name?: string } = {}) => {
    const { name = '', ...changes } = rest;
    const settled: { value?: string; error?: unknown } = {};
    const work = (remainingMs: number): Promise<string> =>
      new Promise((resolve, reject) => {
        started.push({ weight, name, remainingMs, resolve: () => resolve(name), reject });
      });
    const whole: BulkheadRequest = { priority: 'foreground', weight, timeoutMs: 1000, ...changes };
    const done = bulkhead.run(whole, work).then(
      (value) => {
        settled.value = value;
      },
      (error) => {
        settled.error = error;
      },
    );
    return { settled, done };
  };

  /** Advances the clock and runs every callback that is due. */
  const pass = async (ms = 0): Promise<void> => {
    clock.advance(ms);
    await setImmediate();
  };

  /** Ends the `index`th started work, and runs the callbacks that follow. */
  const end = async (index: number): Promise<void> => {
    started[index]?.resolve();
    await setImmediate();
  };

  /** Queues reads until the bulkhead has measured its service rate, `keysPerMs`. */
  const measureRate = async (keysPerMs: number): Promise<void> => {
    const first = request(slots, { timeoutMs: 1e6 });
    const second = request(1, { timeoutMs: 1e6 });
    await pass();
    await pass(slots / keysPerMs);
    await end(started.length - 1);
    await end(started.length - 1);
    await Promise.all([first.done, second.done]);
    started.length = 0;
    samples.length = 0;
  };

  return {
    bulkhead,
    clock,
    samples,
    shed,
    started,
    request,
    pass,
    end,
    measureRate,
    setSlots: (now: number) => {
      slots = now;
    },
    names: () => started.map(({ name }) => name),
  };
}

/** The reason of the shed, or the error's code. */
export const reasonOf = ({ error }: { error?: unknown }): string | undefined =>
  error instanceof ShedError ? error.reason : (error as EarshotError | undefined)?.code;
