// Memory of workerd's only isolate, through its inspector (Chrome DevTools Protocol over a WebSocket).
import { once } from 'node:events';

const REPLY_TIMEOUT_MS = 10_000;

export interface HeapUsage {
  /** Bytes of live JavaScript objects. */
  readonly usedSize: number;
  /** Bytes of the runtime's own objects behind JavaScript objects. */
  readonly embedderHeapUsedSize: number;
  /** Bytes of array buffers and external strings. */
  readonly backingStorageSize: number;
}

interface Reply {
  readonly id?: number;
  readonly result?: unknown;
  readonly error?: { readonly message: string };
}

export interface Inspector {
  send<T>(method: string, params?: object): Promise<T>;
  close(): void;
}

/** Connects to the first isolate. */
export async function connectInspector(port: number): Promise<Inspector> {
  const [target] = (await (await fetch(`http://127.0.0.1:${port}/json`)).json()) as { id: string }[];
  if (target === undefined) throw new Error('expected workerd to have an isolate to inspect, got none');
  const socket = new WebSocket(`ws://127.0.0.1:${port}/${target.id}`);
  await once(socket, 'open', { signal: AbortSignal.timeout(REPLY_TIMEOUT_MS) });
  const waiting = new Map<number, (reply: Reply) => void>();
  socket.addEventListener('message', ({ data }) => {
    const reply = JSON.parse(String(data)) as Reply;
    // A message without an id is an event; events are ignored.
    if (reply.id !== undefined) waiting.get(reply.id)?.(reply);
  });
  let lastId = 0;
  return {
    send: async <T>(method: string, params = {}) => {
      const id = ++lastId;
      const reply = await new Promise<Reply>((resolve, reject) => {
        AbortSignal.timeout(REPLY_TIMEOUT_MS).addEventListener('abort', () =>
          reject(new Error(`no reply to ${method}`)),
        );
        waiting.set(id, resolve);
        socket.send(JSON.stringify({ id, method, params }));
      });
      waiting.delete(id);
      if (reply.error !== undefined) throw new Error(`expected ${method} to work, got ${reply.error.message}`);
      return reply.result as T;
    },
    close: () => socket.close(),
  };
}

/**
 * All live bytes after a garbage collection. workerd delays the collection until the isolate is used: `use` sends a
 * request to it.
 */
export async function measureLiveBytes(inspector: Inspector, use: () => Promise<unknown>): Promise<number> {
  // Objects that the first collection finalizes may hold others that only the second one frees.
  for (let i = 0; i < 2; i++) await collectGarbage(inspector, use);
  const usage = await inspector.send<HeapUsage>('Runtime.getHeapUsage');
  return usage.usedSize + usage.embedderHeapUsedSize + usage.backingStorageSize;
}

async function collectGarbage(inspector: Inspector, use: () => Promise<unknown>): Promise<void> {
  let isDone = false;
  const collection = inspector.send('HeapProfiler.collectGarbage').finally(() => {
    isDone = true;
  });
  const keepUsing = async (): Promise<void> => {
    while (!isDone) await use();
  };
  await Promise.all([collection, keepUsing()]);
}
