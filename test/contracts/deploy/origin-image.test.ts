// The image of an origin: its files, and a process in it with a read-only root, as a container engine would start it.
import { existsSync, globSync, lstatSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import {
  assembleOriginImage,
  type ImageOrigin,
  type OriginImage,
  readDockerfile,
  spawnInImage,
  startImageOrigin,
} from '../../../bench/rigs/origin-image.ts';
import type { Cleanup } from '../../../bench/support/cleanup.ts';
import { findFreePorts } from '../../../bench/support/free-ports.ts';
import { NODE_ARGS } from '../../../origin/node-args.ts';
import { manifestOf, publishManifest, startInstance } from '../origin/instance.ts';
import { ORIGIN_ENVIRONMENT } from '../origin/running-origin.ts';

const repository = join(import.meta.dirname, '../../..');
const readJson = (path: string) => JSON.parse(readFileSync(join(repository, path), 'utf8'));
const WRITE_BITS = 0o222;

const steps: Parameters<Cleanup['add']>[0][] = [];
let image: OriginImage;
beforeAll(async () => {
  image = await assembleOriginImage({ add: (step) => steps.push(step) });
});
afterAll(async () => {
  for (const step of steps.reverse()) await step();
});

const pathsIn = (directory: string): string[] =>
  readdirSync(directory, { recursive: true, withFileTypes: true }).map((each) => join(each.parentPath, each.name));

describe('the Dockerfile', () => {
  test('has the Node of package.json, and starts it as npm does, without a shell', () => {
    const { base, entrypoint } = readDockerfile();
    expect(base).toBe(`node:${readJson('package.json').devDependencies.node}-bookworm-slim`);
    expect(entrypoint).toEqual(['/bin/node', ...NODE_ARGS, '/app/origin/start.mjs']);
  });

  test('has a user that is not root', () => {
    expect(readDockerfile().user).toBe('65532:65532');
  });

  test.each([
    ['ENTRYPOINT in the shell form', 'ENTRYPOINT ["', 'ENTRYPOINT /bin/node # ["'],
    ['HEALTHCHECK in the shell form', 'CMD ["', 'CMD /bin/node # ["'],
    ['no user', 'USER 65532', '# USER 65532'],
    ['a user by name', 'USER 65532:65532', 'USER nonroot'],
  ])('is refused with %s', (_, from, to) => {
    const text = readFileSync(join(repository, 'deploy/origin/Dockerfile'), 'utf8');
    expect(() => readDockerfile(text.replace(from, to))).toThrow('expected the Dockerfile to have');
  });
});

describe('the file system', () => {
  test('has no development dependency', () => {
    const { packages } = readJson('package-lock.json') as { packages: Record<string, { dev?: boolean }> };
    const isInstalled = (path: string): boolean => existsSync(join(image.directory, 'app', path, 'package.json'));
    const installed = Object.entries(packages).filter(([path]) => path !== '' && isInstalled(path));
    expect(installed.length).toBeGreaterThan(100);
    expect(installed.filter(([, { dev }]) => dev).map(([path]) => path)).toEqual([]);
    expect(globSync('app/node_modules/*', { cwd: image.directory }).length).toBeGreaterThan(50);
  });

  test('has the licence, and no program but Node', () => {
    const read = (path: string): string => readFileSync(path, 'utf8');
    expect(read(join(image.directory, 'app/LICENSE'))).toBe(read(join(repository, 'LICENSE')));
    expect(readdirSync(join(image.directory, 'bin'))).toEqual(['node']);
    expect(readdirSync(image.directory).sort()).toEqual(
      ['app', 'bin', 'dev', 'etc', 'lib', 'lib64', 'proc', 'tmp'].filter((name) =>
        existsSync(join(image.directory, name)),
      ),
    );
  });

  test('has nothing that a user can write, and no link that leads nowhere', () => {
    const paths = pathsIn(image.directory);
    const writable = paths.filter((path) => !lstatSync(path).isSymbolicLink() && lstatSync(path).mode & WRITE_BITS);
    expect(writable).toEqual([]);
    expect(paths.filter((path) => !existsSync(path))).toEqual([]);
  });
});

describe('a process in the image', () => {
  async function startOrigin(
    env: Readonly<Record<string, string>> = {},
    cleanup: Cleanup = { add: (step) => onTestFinished(step) },
  ): Promise<ImageOrigin> {
    const { server, bigtable } = await startInstance();
    await publishManifest(bigtable, manifestOf(1), Date.now());
    const [port] = await findFreePorts(1);
    return startImageOrigin(cleanup, image, {
      ...ORIGIN_ENVIRONMENT,
      BIGTABLE_EMULATOR_HOST: server.endpoint,
      PORT: String(port),
      ...env,
    });
  }
  const checkHealth = (url: string): Promise<number | null> =>
    spawnInImage(image, readDockerfile().healthCheck, { PORT: new URL(url).port }).exited;
  const statusOf = ({ pid }: ImageOrigin, name: string): string | undefined =>
    new RegExp(`^${name}:\\s+(.*)$`, 'm').exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
  const listing = (): string[] =>
    pathsIn(image.directory).map((path) => `${path} ${lstatSync(path).size} ${lstatSync(path).mtimeMs}`);

  test('is ready on a read-only root, drains at SIGTERM with exit code 0, and has written nothing', async () => {
    const before = listing();
    const origin = await startOrigin();
    expect((await fetch(`${origin.url}/readyz`)).status).toBe(200);
    expect(await checkHealth(origin.url)).toBe(0);
    expect(await origin.stop()).toBe(0);
    expect(origin.output.stdout).toContain('"msg":"drained"');
    expect(origin.output.stderr).toBe('');
    expect(listing()).toEqual(before);
    expect(await checkHealth(origin.url)).toBe(1);
    process.stdout.write(`image: ${image.megabytes} MB, ready after ${origin.startUpMs.toFixed(0)} ms\n`);
  });

  test('is not healthy while it drains, and answers meanwhile', async () => {
    const origin = await startOrigin({ EARSHOT_DRAIN_DELAY_MS: '60000' });
    void origin.stop();
    await expect.poll(async () => (await fetch(`${origin.url}/readyz`)).status).toBe(503);
    expect(await checkHealth(origin.url)).toBe(1);
    expect((await fetch(`${origin.url}/livez`)).status).toBe(200);
  });

  // Only root can become another user.
  test.skipIf(process.getuid?.() !== 0)(
    'is process 1 of its namespace, without a right of root, as the user of the image',
    async () => {
      const origin = await startOrigin();
      expect(statusOf(origin, 'NSpid')?.split(/\s+/).at(-1)).toBe('1');
      expect(statusOf(origin, 'NoNewPrivs')).toBe('1');
      expect(Number.parseInt(statusOf(origin, 'CapEff') ?? '', 16)).toBe(0);
      expect(statusOf(origin, 'Uid')?.split(/\s+/)).toEqual(['65532', '65532', '65532', '65532']);
    },
  );

  test('ends with the cleanup of its rig', async () => {
    const ownSteps: typeof steps = [];
    const { pid } = await startOrigin({}, { add: (step) => ownSteps.push(step) });
    expect(existsSync(`/proc/${pid}/root`)).toBe(true);
    for (const step of ownSteps) await step();
    expect(existsSync(`/proc/${pid}/root`)).toBe(false);
  });

  test('can write nowhere', async () => {
    const code = `for (const path of ['/app/x', '/tmp/x', '/etc/x', '/bin/node', '/dev/x'])
      try { require('fs').writeFileSync(path, ''); console.log(path, 'written'); } catch ({ code }) { console.log(code); }`;
    const { exited, output } = spawnInImage(image, ['/bin/node', '-e', code]);
    expect(await exited).toBe(0);
    expect(output.stdout.trim().split('\n')).toEqual(['EROFS', 'EROFS', 'EROFS', 'EROFS', 'EROFS']);
  });
});
