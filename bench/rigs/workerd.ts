// `workerd serve` with one worker on a free port of this machine. The worker can reach private addresses only.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { basename, dirname, join, relative } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import type { WorkerBundle } from './worker-bundle.ts';

/** The workerd of wrangler; its package has no types. */
const { default: workerdPath } = createRequire(import.meta.resolve('wrangler/package.json'))('workerd') as {
  default: string;
};
const READY_TIMEOUT_MS = 10_000;

export interface Workerd {
  readonly pid: number;
  readonly port: number;
  /** Port of the inspector; undefined unless requested. */
  readonly inspectorPort: number | undefined;
  stop(): Promise<void>;
}

interface WorkerdOptions {
  readonly bundle: WorkerBundle;
  /** Default: 0, a free port. */
  readonly port?: number;
  /** Text variables of the worker. */
  readonly bindings: Readonly<Record<string, string>>;
  /** Durable Object classes of the worker by binding name. Default: none. */
  readonly objects?: Readonly<Record<string, string>>;
  /** Variables of the objects, as another version of the worker has them. Default: those of the worker. */
  readonly objectBindings?: Readonly<Record<string, string>> | undefined;
  /** `HOST:PORT` of the HTTP service behind each queue, by binding name. Default: none. */
  readonly queues?: Readonly<Record<string, string>>;
  /** The consumer of the worker's streaming tail, and its text variables. Default: none. */
  readonly tail?: { readonly bundle: WorkerBundle; readonly bindings: Readonly<Record<string, string>> } | undefined;
  /** Default: no inspector, because it costs time. */
  readonly withInspector?: boolean;
  /** Whether to discard the worker's log. Default: it goes to standard error. */
  readonly isQuiet?: boolean;
}

/** Resolves when workerd listens. The worker itself starts at its first request or earlier. */
export async function startWorkerd({
  bundle,
  port = 0,
  bindings,
  objects = {},
  objectBindings,
  queues = {},
  tail,
  withInspector = false,
  isQuiet = false,
}: WorkerdOptions): Promise<Workerd> {
  const config = join(dirname(bundle.path), 'workerd.capnp');
  const parts = { bundle, port, bindings, objects, objectBindings, queues, tail };
  writeFileSync(config, makeConfig(parts), { mode: 0o600 });
  const inspector = withInspector ? ['--inspector-addr', '127.0.0.1:0'] : [];
  const experimental = tail === undefined ? [] : ['--experimental'];
  const child = spawn(workerdPath, ['serve', ...experimental, ...inspector, '--control-fd', '3', config], {
    stdio: ['ignore', 'ignore', isQuiet ? 'ignore' : 'inherit', 'pipe'],
  });
  const stop = async (): Promise<void> => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    child.kill('SIGKILL');
    await once(child, 'exit');
  };
  try {
    const ports = await readPorts(child, withInspector ? ['http', 'inspector'] : ['http']);
    return { pid: child.pid ?? 0, port: ports.get('http') ?? 0, inspectorPort: ports.get('inspector'), stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** Messages of workerd's control pipe: one JSON object per line for each listening socket. */
async function readPorts(child: ChildProcess, wanted: readonly string[]): Promise<Map<string, number>> {
  const ports = new Map<string, number>();
  const lines = createInterface({ input: child.stdio[3] as Readable, signal: AbortSignal.timeout(READY_TIMEOUT_MS) });
  for await (const line of lines) {
    const { event, socket, port } = JSON.parse(line) as { event: string; socket?: string; port?: number };
    if (port !== undefined) ports.set(event === 'listen-inspector' ? 'inspector' : (socket ?? ''), port);
    if (wanted.every((name) => ports.has(name))) return ports;
  }
  throw new Error(
    `expected workerd to listen within ${READY_TIMEOUT_MS} ms, got ${[...ports.keys()].join(', ') || 'nothing'}`,
  );
}

type ConfigParts = Required<Pick<WorkerdOptions, 'bundle' | 'port' | 'bindings' | 'objects' | 'queues'>> &
  Pick<WorkerdOptions, 'objectBindings' | 'tail'>;

/** Cap'n Proto escapes text as C does. JSON's escapes are a subset of that for the text in bindings. */
function makeConfig(parts: ConfigParts): string {
  const { bundle, port, bindings, objects, objectBindings, queues, tail } = parts;
  const services = Object.entries(queues).map(
    ([name, address]) => `(name = ${quote(`queue ${name}`)}, external = (address = ${quote(address)}, http = ())),`,
  );
  if (tail !== undefined) services.push(makeTail(tail, dirname(bundle.path)));
  const own = makeBindings(bindings, queues);
  const workers =
    objectBindings === undefined
      ? [makeWorker(parts, 'main', [...own, ...makeObjectBindings(objects)], objects)]
      : [
          makeWorker(parts, 'main', [...own, ...makeObjectBindings(objects, 'objects')], {}),
          makeWorker(parts, 'objects', makeBindings(objectBindings, queues), objects),
        ];
  return `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [
    ${workers.join('\n    ')}
    (name = "machine", network = (allow = ["private"])),
    ${services.join('\n    ')}
  ],
  sockets = [(name = "http", address = "127.0.0.1:${port}", http = (), service = "main")],
);
`;
}

const quote = JSON.stringify;

const makeBindings = (texts: ConfigParts['bindings'], queues: ConfigParts['queues']): string[] => [
  ...Object.entries(texts).map(([name, text]) => `(name = ${quote(name)}, text = ${quote(text)})`),
  ...Object.keys(queues).map((name) => `(name = ${quote(name)}, queue = ${quote(`queue ${name}`)})`),
];

/** `service`: the worker with the classes. Default: the one with the bindings. */
const makeObjectBindings = (objects: ConfigParts['objects'], service?: string): string[] =>
  Object.entries(objects).map(([name, className]) => {
    const place =
      service === undefined ? quote(className) : `(className = ${quote(className)}, serviceName = ${quote(service)})`;
    return `(name = ${quote(name)}, durableObjectNamespace = ${place})`;
  });

function makeTail(
  { bundle: { path, compatibilityDate }, bindings }: NonNullable<WorkerdOptions['tail']>,
  directory: string,
): string {
  const texts = Object.entries(bindings).map(([name, text]) => `(name = ${quote(name)}, text = ${quote(text)})`);
  return `(name = "tail", worker = (
      modules = [(name = "tail.js", esModule = embed ${quote(relative(directory, path))})],
      compatibilityDate = ${quote(compatibilityDate)},
      bindings = [${texts.join(', ')}],
      globalOutbound = "machine",
    )),`;
}

/** A service with the classes of `objects`. */
function makeWorker(
  { bundle: { path, compatibilityDate }, tail }: ConfigParts,
  name: string,
  bindings: readonly string[],
  objects: ConfigParts['objects'],
): string {
  const namespaces = Object.values(objects).map(
    (className) => `(className = ${quote(className)}, uniqueKey = ${quote(className)}, enableSql = true)`,
  );
  return `(name = ${quote(name)}, worker = (
      modules = [(name = "worker.js", esModule = embed ${quote(basename(path))})],
      compatibilityDate = ${quote(compatibilityDate)},
      bindings = [${bindings.join(', ')}],
      durableObjectNamespaces = [${namespaces.join(', ')}],
      durableObjectStorage = (inMemory = void),
      ${tail === undefined ? '' : 'streamingTails = ["tail"],'}
      globalOutbound = "machine",
    )),`;
}
