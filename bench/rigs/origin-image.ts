// The image of an origin without a container engine: the file system that the Dockerfile copies, and processes in it
// with namespaces of their own, a read-only root and the image's user. The Dockerfile says how they start.
import { cpSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import type { Cleanup } from '../support/cleanup.ts';
import { type RunningCommand, spawnCommand } from './local-cloud.ts';
import { run } from './processes.ts';

const repository = join(import.meta.dirname, '../..');

export interface OriginImage {
  /** The file system. */
  readonly directory: string;
  readonly megabytes: number;
}

/** Runs the build stage of the Dockerfile into a temporary directory, which the cleanup removes. */
export async function assembleOriginImage(cleanup: Cleanup): Promise<OriginImage> {
  const directory = mkdtempSync(join(tmpdir(), 'earshot-image-'));
  cleanup.add(async () => {
    // Only root removes files of a directory that is not writable.
    await run('chmod', ['-R', 'u+w', directory], {});
    rmSync(directory, { recursive: true });
  });
  const context = mkdtempSync(join(tmpdir(), 'earshot-context-'));
  cleanup.add(() => rmSync(context, { recursive: true }));
  copyBuildContext(context);
  await run(join(context, 'deploy/origin/assemble.sh'), [directory], {});
  const { lines } = await run('du', ['-s', '--block-size=1000000', directory], {});
  return { directory, megabytes: Number.parseInt(lines[0] ?? '', 10) };
}

// Copies the files that .dockerignore lets into a build: `*` leaves all out, `!PATH` lets in, and `**/NAME` leaves
// out again.
function copyBuildContext(directory: string): void {
  const [first, ...patterns] = readFileSync(join(repository, '.dockerignore'), 'utf8')
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'));
  if (first !== '*') throw new Error(`expected .dockerignore to begin with *, got ${first}`);
  const after = (prefix: string): string[] =>
    patterns.filter((each) => each.startsWith(prefix)).map((each) => each.slice(prefix.length));
  const isLetIn = (file: string): boolean => !after('**/').includes(basename(file));
  for (const path of after('!'))
    cpSync(join(repository, path), join(directory, path), { recursive: true, filter: isLetIn });
}

export interface Dockerfile {
  /** `node:VERSION` of the build stage. */
  readonly base: string;
  /** `UID:GID`. */
  readonly user: string;
  readonly env: Readonly<Record<string, string>>;
  readonly entrypoint: readonly string[];
  readonly healthCheck: readonly string[];
}

/** Throws an Error if an instruction is missing, or is not in the exec form. */
export function readDockerfile(text = readFileSync(join(repository, 'deploy/origin/Dockerfile'), 'utf8')): Dockerfile {
  const find = (pattern: RegExp): string => {
    const [, found] = pattern.exec(text) ?? [];
    if (found === undefined) throw new Error(`expected the Dockerfile to have ${pattern.source}`);
    return found;
  };
  const command = (pattern: RegExp): string[] => JSON.parse(find(pattern)) as string[];
  const assignments = find(/^ENV (.*)$/m).split(' ');
  return {
    base: find(/^FROM (node:\S+) AS build$/m),
    user: find(/^USER (\d+:\d+)$/m),
    env: Object.fromEntries(assignments.map((each) => each.split('=') as [string, string])),
    entrypoint: command(/^ENTRYPOINT (\[.*\])$/m),
    healthCheck: command(/^HEALTHCHECK .* CMD (\[.*\])$/m),
  };
}

const DEVICES = ['null', 'zero', 'random', 'urandom'];

/** Makes `$1` a read-only root with /proc and /dev, and becomes the command: process 1 of its namespace. */
const ENTER = [
  'set -e; root=$1; user=$2; shift 2',
  'mount --make-rprivate /',
  'mount --bind "$root" "$root"',
  'mount -o remount,bind,ro "$root"',
  'mount -t proc proc "$root/proc"',
  'mount -t tmpfs -o mode=755 dev "$root/dev"',
  ...DEVICES.map((name) => `touch "$root/dev/${name}"; mount --bind /dev/${name} "$root/dev/${name}"`),
  'mount -o remount,bind,ro "$root/dev"',
  'exec setpriv --no-new-privs chroot $user "$root" "$@"',
].join('\n');

/** Starts `command` in the image. Its environment is that of the Dockerfile, then `env`, and nothing else. */
export function spawnInImage(
  { directory }: OriginImage,
  command: readonly string[],
  env: Readonly<Record<string, string>> = {},
): RunningCommand {
  const { user, env: ownEnv } = readDockerfile();
  const isRoot = process.getuid?.() === 0;
  const assignments = Object.entries({ PATH: '/usr/sbin:/usr/bin:/sbin:/bin', ...ownEnv, ...env });
  return spawnCommand('env', [
    ...['-i', ...assignments.map(([name, value]) => `${name}=${value}`)],
    ...['unshare', ...(isRoot ? [] : ['--map-root-user']), '--mount', '--pid', '--fork', '--kill-child=SIGKILL'],
    // Only root can become another user.
    ...['sh', '-c', ENTER, 'sh', directory, isRoot ? `--userspec=${user} --groups=` : ''],
    ...command,
  ]);
}

export interface ImageOrigin {
  readonly url: string;
  /** The process in the namespace of this machine. */
  readonly pid: number;
  /** Milliseconds from the start of the process until it listens and is ready. */
  readonly startUpMs: number;
  readonly output: RunningCommand['output'];
  /** Sends SIGTERM to the process, as a container engine does. Resolves with its exit code. */
  stop(): Promise<number | null>;
}

/** Starts the entry point of the image, and resolves when it is ready. `PORT` may be 0. The cleanup kills it. */
export async function startImageOrigin(
  cleanup: Cleanup,
  image: OriginImage,
  env: Readonly<Record<string, string>>,
): Promise<ImageOrigin> {
  const startedAtMs = performance.now();
  const running = spawnInImage(image, readDockerfile().entrypoint, { HOST: '127.0.0.1', ...env });
  cleanup.add(async () => {
    const { child, exited } = running;
    if (child.exitCode === null && child.signalCode === null) {
      const inner = childOf(child.pid ?? 0);
      // `unshare` ends once its child has: until then the child would be of no parent that waits for it.
      if (inner === undefined) child.kill('SIGKILL');
      else process.kill(inner, 'SIGKILL');
    }
    await exited;
  });
  await running.printed('"msg":"listening"');
  const startUpMs = performance.now() - startedAtMs;
  const [, url = ''] = /"url":"([^"]+)"/.exec(running.output.stdout) ?? [];
  const pid = childOf(running.child.pid ?? 0);
  if (pid === undefined) throw new Error(`expected a process in the image, got ${running.output.stderr}`);
  return {
    url,
    pid,
    startUpMs,
    output: running.output,
    stop: () => {
      process.kill(pid, 'SIGTERM');
      return running.exited;
    },
  };
}

/**
 * The only child of `unshare`, which ignores SIGTERM. SIGKILL has to go to the child, too: with its change of the user
 * the process loses the signal that `--kill-child` arranges.
 */
function childOf(pid: number): number | undefined {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim();
  return children === '' ? undefined : Number(children.split(' ')[0]);
}
