// The lines that were not loaded, kept with the reason so that they can be mended and loaded again. The file appears with the first one.
import { once } from 'node:events';
import { createWriteStream, mkdirSync, type WriteStream } from 'node:fs';
import { dirname } from 'node:path';

export interface Reject {
  readonly file: string;
  readonly line: number;
  readonly reason: string;
  readonly text: string;
}

export interface Rejects {
  readonly path: string;
  count(): number;
  /** Waits while the file is slower than the rejects come. */
  add(reject: Reject): Promise<void>;
  close(): Promise<void>;
}

/** `onReject` hears of each. */
export function createRejects(path: string, onReject: (reject: Reject) => void): Rejects {
  let stream: WriteStream | undefined;
  let count = 0;
  return {
    path,
    count: () => count,
    add: async (reject) => {
      if (stream === undefined) {
        mkdirSync(dirname(path), { recursive: true });
        stream = createWriteStream(path);
      }
      count++;
      onReject(reject);
      if (!stream.write(`${JSON.stringify(reject)}\n`)) await once(stream, 'drain');
    },
    close: async () => {
      if (stream === undefined) return;
      stream.end();
      await once(stream, 'close');
    },
  };
}
