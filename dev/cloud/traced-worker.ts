// The configurations of wrangler for a worker whose spans go to a collector: wrangler.toml with a streaming tail, and
// the consumer of that tail.
import { join } from 'node:path';
import { writePrivate } from '../../ops/cli/state-file.ts';

const repository = join(import.meta.dirname, '../..');

/** Writes both files into `stateDirectory`, and returns their paths, the worker's first. */
export async function writeTracedWorker(stateDirectory: string, tracesUrl: string): Promise<readonly string[]> {
  const { experimental_readRawConfig: readRawConfig } = await import('wrangler');
  const { rawConfig } = readRawConfig({ config: join(repository, 'wrangler.toml') });
  const tail = {
    name: `${rawConfig.name}-tail`,
    main: join(repository, 'dev/edge-tail/tail-worker.ts'),
    compatibility_date: rawConfig.compatibility_date,
    vars: { TRACES_URL: tracesUrl },
  };
  const { env: _, alias = {}, main = '', ...local } = rawConfig;
  const worker = {
    ...local,
    main: join(repository, main),
    alias: Object.fromEntries(
      Object.entries(alias as Record<string, string>).map(([name, path]) => [name, join(repository, path)]),
    ),
    observability: { ...local.observability, traces: { enabled: true } },
    streaming_tail_consumers: [{ service: tail.name }],
  };
  return [worker, tail].map((config) => {
    const path = join(stateDirectory, `${config.name}.json`);
    writePrivate(path, JSON.stringify(config, null, 2));
    return path;
  });
}
