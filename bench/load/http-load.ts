// A fixed number of requests over a fixed number of kept connections, by undici. Only the server's time is measured.
import { Pool } from 'undici';

const REQUEST_TIMEOUT_MS = 10_000;

export interface Ask {
  readonly path: string;
  /** Default: GET, or POST with a body. */
  readonly body?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: Buffer;
}

export interface HttpLoad {
  ask(ask: Ask): Promise<Answer>;
  /**
   * Sends `count` requests, one per connection at a time, and passes each answer to `check`. Rejects when one fails.
   */
  run(count: number, askOf: (i: number) => Ask, check: (answer: Answer, i: number) => void): Promise<void>;
  close(): void;
}

export function createHttpLoad(port: number, connections: number): HttpLoad {
  const timeouts = { headersTimeout: REQUEST_TIMEOUT_MS, bodyTimeout: REQUEST_TIMEOUT_MS };
  const pool = new Pool(`http://127.0.0.1:${port}`, { connections, ...timeouts });

  async function ask({ path, body, headers = {} }: Ask): Promise<Answer> {
    const method = body === undefined ? 'GET' : 'POST';
    const response = await pool.request({ path, method, headers, body: body ?? null });
    const bytes = Buffer.from(await response.body.arrayBuffer());
    return { status: response.statusCode, headers: response.headers, body: bytes };
  }

  return {
    ask,
    run: async (count, askOf, check) => {
      let next = 0;
      const runConnection = async (): Promise<void> => {
        while (next < count) {
          const i = next++;
          check(await ask(askOf(i)), i);
        }
      };
      await Promise.all(Array.from({ length: connections }, runConnection));
    },
    close: () => {
      void pool.destroy();
    },
  };
}
