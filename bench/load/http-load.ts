// A fixed number of requests over a fixed number of kept-alive connections. Only the server's time is measured, so the
// client is simple.
import { Agent, request } from 'node:http';

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
   * Sends `count` requests, one at a time per connection, and passes each answer to `check`. Rejects if a check throws.
   */
  run(count: number, askOf: (i: number) => Ask, check: (answer: Answer, i: number) => void): Promise<void>;
  close(): void;
}

export function createHttpLoad(port: number, connections: number): HttpLoad {
  const agent = new Agent({ keepAlive: true, maxSockets: connections });

  const ask = ({ path, body, headers = {} }: Ask): Promise<Answer> =>
    new Promise((resolve, reject) => {
      const method = body === undefined ? 'GET' : 'POST';
      const options = { host: '127.0.0.1', port, path, method, headers, agent, timeout: REQUEST_TIMEOUT_MS };
      const outgoing = request(options, (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.once('error', reject);
        response.once('end', () => {
          const [first = Buffer.alloc(0), ...rest] = chunks;
          const bytes = rest.length === 0 ? first : Buffer.concat(chunks);
          resolve({ status: response.statusCode ?? 0, headers: response.headers, body: bytes });
        });
      });
      outgoing.once('error', reject);
      outgoing.once('timeout', () => outgoing.destroy(new Error(`no answer within ${REQUEST_TIMEOUT_MS} ms`)));
      outgoing.end(body);
    });

  return {
    ask,
    run: async (count, askOf, check) => {
      let next = 0;
      const loop = async (): Promise<void> => {
        while (next < count) {
          const i = next++;
          check(await ask(askOf(i)), i);
        }
      };
      await Promise.all(Array.from({ length: connections }, loop));
    },
    close: () => agent.destroy(),
  };
}
