// An origin of two processes for one test, as a deployment starts it, before an embedded Bigtable. It is ended with the
// test, however that ends. Which process a connection has reached cannot be seen from outside, but asked: only the
// owner of a user reads it without its sibling.
import { readFileSync } from 'node:fs';
import { Agent, type IncomingMessage, request } from 'node:http';
import { buffer } from 'node:stream/consumers';
import { expect, onTestFinished } from 'vitest';
import { chooseWorker } from '../../../origin/workers/sibling-load.ts';
import { createManualClock, systemClock } from '../../../shared/runtime/clock.ts';
import { LISTS_READ_PATH, type ListQuery } from '../../../shared/wire/read-request.ts';
import { decodeListFrames, type ListResult } from '../../../shared/wire/read-response.ts';
import { spawnNode } from '../../support/local-cloud.ts';
import { eventually } from '../../support/waiting.ts';
import { MONDAY, manifestOf, startInstance, type TestInstance, writeManifestCell } from './instance.ts';
import { mintOriginToken, SECRET } from './running-origin.ts';

export const WORKERS = 2;

/** One kept-alive connection, and so one process at its other end. */
export interface Connection {
  get(path: string): Promise<{ status: number; text: string }>;
  read(users: readonly string[], asked?: Partial<ListQuery>): Promise<ListResult[]>;
  /** Begins to read, and goes away once `until` has resolved. */
  readUntil(users: readonly string[], until: () => Promise<unknown>): Promise<void>;
}

export interface RunningWorkers extends TestInstance {
  readonly running: ReturnType<typeof spawnNode>;
  readonly url: string;
  readonly directory: string;
  /** The pid of the process with that place; throws an Error when there is none. */
  pidOf(worker: number): number;
  pids(): number[];
  connect(): Connection;
  /** One connection to each process, by its place. */
  connectToEach(): Promise<[Connection, Connection]>;
  /** A counter's sum over all processes, asked over `connection`. */
  counter(name: string, connection?: Connection): Promise<number>;
  /** `count` users that were not asked for yet, kept by `worker`. */
  usersOf(worker: number, count: number): string[];
  keysAsked(): number;
  /** Resolves when so many workers, from the first start on, have begun to listen. */
  listened(count: number): Promise<unknown>;
}

export const workersEnvironment = {
  EARSHOT_REGION: 'asia',
  EARSHOT_PROJECT: 'contract',
  EARSHOT_INSTANCE: 'recs',
  EARSHOT_ORIGIN_SECRET: SECRET,
  EARSHOT_DRAIN_DELAY_MS: '0',
  // Once, at the start: what the table is asked for after that are lists.
  EARSHOT_MANIFEST_POLL_MS: '60000',
  // A table that is made slow would be asked twice for the same key.
  EARSHOT_HEDGE_APP_PROFILE: 'off',
  WORKERS: String(WORKERS),
  HOST: '127.0.0.1',
  PORT: '0',
};

export async function runWorkers(more: Readonly<Record<string, string>> = {}): Promise<RunningWorkers> {
  const instance = await startInstance();
  await writeManifestCell(instance.bigtable, JSON.stringify(manifestOf(1)), MONDAY);
  const env = { ...workersEnvironment, BIGTABLE_EMULATOR_HOST: instance.server.endpoint, ...more };
  const running = spawnNode(['origin/main.ts'], env);
  onTestFinished(async () => {
    for (const pid of childrenOf(running.child.pid)) signal(pid, 'SIGCONT');
    running.child.kill('SIGKILL');
    await running.exited;
  });
  const listened = (count: number) =>
    eventually(() => expect(running.output.stdout.split('"msg":"listening"').length - 1).toBe(count));
  await listened(WORKERS);
  const [, url = ''] = /"url":"([^"]+)"/.exec(running.output.stdout) ?? [];
  const pids = () => childrenOf(running.child.pid).filter((pid) => placeOf(pid) !== undefined);
  const token = await mintOriginToken(createManualClock(systemClock.now()));
  const connect = () => openConnection(url, token);
  let nextUser = 0;

  const workers: RunningWorkers = {
    ...instance,
    running,
    url,
    directory: placeOf(pids()[0] as number)?.directory ?? '',
    pids,
    pidOf: (worker) => {
      const pid = pids().find((each) => placeOf(each)?.index === worker);
      if (pid === undefined) throw new Error(`expected worker ${worker} to run, got ${pids()}`);
      return pid;
    },
    connect,
    connectToEach: async () => {
      const found: (Connection | undefined)[] = [undefined, undefined];
      while (found.includes(undefined)) {
        const connection = connect();
        const before = await workers.counter('origin_sibling_reads_total');
        await connection.read(workers.usersOf(0, 1));
        found[(await workers.counter('origin_sibling_reads_total')) - before] ??= connection;
      }
      return found as [Connection, Connection];
    },
    counter: async (name, connection = connect()) => {
      const { text } = await connection.get('/metrics');
      return Number(new RegExp(`^earshot_${name}\\{[^}]*\\} (\\d+)$`, 'm').exec(text)?.[1]);
    },
    usersOf: (worker, count) => {
      const users: string[] = [];
      while (users.length < count) {
        const user = `u:${nextUser++}`;
        if (chooseWorker(user, WORKERS) === worker) users.push(user);
      }
      return users;
    },
    keysAsked: () => instance.server.counters('asia').keysAsked,
    listened,
  };
  return workers;
}

function openConnection(url: string, token: string): Connection {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  onTestFinished(() => agent.destroy());

  async function exchange(method: string, path: string, body?: string) {
    const response = await new Promise<IncomingMessage>((resolve, reject) => {
      const headers = { authorization: `Bearer ${token}` };
      request(`${url}${path}`, { method, agent, headers }, resolve).once('error', reject).end(body);
    });
    return { status: response.statusCode ?? 0, bytes: await buffer(response) };
  }

  return {
    get: async (path) => {
      const { status, bytes } = await exchange('GET', path);
      return { status, text: bytes.toString() };
    },
    readUntil: async (users, until) => {
      const keys = users.map((user) => ({ surface: 'home', variant: 'control', generation: MONDAY, user }));
      const headers = { authorization: `Bearer ${token}` };
      const outgoing = request(`${url}${LISTS_READ_PATH}`, { method: 'POST', agent, headers });
      const closed = new Promise<void>((resolve) => void outgoing.once('close', resolve));
      outgoing.on('error', () => {}).end(JSON.stringify({ keys }));
      await until();
      outgoing.destroy();
      await closed;
    },
    read: async (users, asked = {}) => {
      const keys = users.map((user) => ({ surface: 'home', variant: 'control', generation: MONDAY, user, ...asked }));
      const { status, bytes } = await exchange('POST', LISTS_READ_PATH, JSON.stringify({ keys }));
      if (status !== 200) throw new Error(`expected status 200, got ${status} ${bytes}`);
      return decodeListFrames(bytes, users.length);
    },
  };
}

export function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch {
    // It has gone.
  }
}

const childrenOf = (pid: number | undefined): number[] =>
  readProc(`${pid}/task/${pid}/children`).split(' ').filter(Boolean).map(Number);

function placeOf(pid: number): { index: number; directory: string } | undefined {
  const [, json] = /EARSHOT_WORKER_PLACE=([^\0]+)/.exec(readProc(`${pid}/environ`)) ?? [];
  return json === undefined ? undefined : JSON.parse(json);
}

/** Linux only. */
function readProc(path: string): string {
  try {
    return readFileSync(`/proc/${path}`, 'utf8');
  } catch {
    return '';
  }
}
