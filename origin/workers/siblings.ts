// The other processes of this origin, over Unix sockets: the same interface that the edge calls, without a token,
// because the directory of the sockets is open to their user alone.
import { Agent, request } from 'node:http';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { CallerCancelled, type Cancellation } from '../../shared/caching/cancellation.ts';
import { problemOf } from '../../shared/wire/errors.ts';
import { DEADLINE_HEADER, LISTS_READ_PATH, type ListQuery } from '../../shared/wire/read-request.ts';
import { decodeListFrames, type ListResult } from '../../shared/wire/read-response.ts';

export interface Siblings {
  readonly own: number;
  readonly count: number;
  /**
   * All of them `overloaded` when the process has as much to do as it can; rejects with an Error when it does not
   * answer in time, when whoever asks has gone, or otherwise.
   */
  readLists(
    worker: number,
    asks: readonly ListQuery[],
    timeoutMs: number,
    cancellation?: Cancellation,
  ): Promise<ListResult[]>;
  close(): void;
}

export const socketPath = (directory: string, worker: number): string => join(directory, `${worker}.sock`);

const OVERLOADED = problemOf('overloaded').status;
/** Each carries one call at a time; misses that wait for one leave later, but none is lost. */
const MAX_CONNECTIONS = 8;

export function connectSiblings(directory: string, own: number, count: number): Siblings {
  const agent = new Agent({ keepAlive: true, maxSockets: MAX_CONNECTIONS });

  function exchange(
    worker: number,
    timeoutMs: number,
    body: string,
    cancellation?: Cancellation,
  ): Promise<Buffer | undefined> {
    return new Promise((resolve, reject) => {
      const options = {
        socketPath: socketPath(directory, worker),
        path: LISTS_READ_PATH,
        method: 'POST',
        headers: { host: 'sibling', [DEADLINE_HEADER]: String(Math.ceil(timeoutMs)) },
        agent,
        signal: AbortSignal.timeout(Math.ceil(timeoutMs)),
      };
      const outgoing = request(options, (response) => {
        if (response.statusCode === 200) buffer(response).then(resolve, reject);
        else {
          response.resume();
          if (response.statusCode === OVERLOADED) resolve(undefined);
          else reject(new Error(`expected status 200 of worker ${worker}, got ${response.statusCode}`));
        }
      });
      outgoing.once('error', reject);
      outgoing.end(body);
      cancellation?.onCancel(() => outgoing.destroy(new CallerCancelled()));
    });
  }

  return {
    own,
    count,
    readLists: async (worker, asks, timeoutMs, cancellation) => {
      const body = await exchange(worker, timeoutMs, JSON.stringify({ keys: asks }), cancellation);
      return body === undefined
        ? asks.map(() => ({ kind: 'error', code: 'overloaded' }))
        : decodeListFrames(body, asks.length);
    },
    close: () => agent.destroy(),
  };
}
