// An account of the bytes that several requests keep in memory at the same time. A hold belongs to one request. Its
// bytes are free again when it is released, or after `maxAgeMs`: a runtime can end a request without running its code.
import type { Clock } from './clock.ts';

export interface ByteHold {
  /** Adds `bytes` if there is room for them. After the end of the hold it adds nothing: its request keeps no bytes. */
  tryAdd(bytes: number): boolean;
  /** Ends the hold. It may be called twice. */
  release(): void;
}

export interface ByteAccount {
  open(): ByteHold;
  /** Bytes of all holds. */
  readonly bytes: number;
}

interface ByteAccountOptions {
  readonly clock: Pick<Clock, 'now'>;
  readonly maxBytes: number;
  /** Age in milliseconds at which a hold counts as lost. Default: a hold is never lost. */
  readonly maxAgeMs?: number;
}

interface Open {
  readonly openedAtMs: number;
  bytes: number;
}

export function createByteAccount(options: ByteAccountOptions): ByteAccount {
  const { clock, maxBytes, maxAgeMs = Number.POSITIVE_INFINITY } = options;
  /** In the order of their start. */
  const holds = new Set<Open>();
  let bytes = 0;

  function release(hold: Open): void {
    if (holds.delete(hold)) bytes -= hold.bytes;
  }

  function releaseLost(): void {
    for (const hold of holds) {
      if (clock.now() - hold.openedAtMs < maxAgeMs) return;
      release(hold);
    }
  }

  return {
    open: () => {
      const hold: Open = { openedAtMs: clock.now(), bytes: 0 };
      let isReleased = false;
      return {
        tryAdd: (more) => {
          if (isReleased) return true;
          if (bytes + more > maxBytes) releaseLost();
          if (bytes + more > maxBytes) return false;
          // A hold without bytes costs nothing, so only one with bytes is remembered.
          if (!holds.has(hold)) {
            if (hold.bytes > 0) return false;
            holds.add(hold);
          }
          hold.bytes += more;
          bytes += more;
          return true;
        },
        release: () => {
          isReleased = true;
          release(hold);
        },
      };
    },
    get bytes() {
      return bytes;
    },
  };
}
