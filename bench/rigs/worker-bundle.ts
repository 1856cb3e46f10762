// Workers bundled by wrangler as for a deployment. `--dry-run` uploads nothing.
import { execFile } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { gzipSync } from 'node:zlib';

const EDGE_CONFIG = join(import.meta.dirname, '../../wrangler.toml');
/** On a busy machine a build at the lowest priority takes minutes. */
const BUNDLE_TIMEOUT_MS = 600_000;

export interface WorkerBundle {
  /** The bundle's only module. */
  readonly path: string;
  readonly compatibilityDate: string;
  /** Variables of the configuration; values that are not text are JSON text. */
  readonly vars: Readonly<Record<string, string>>;
  readonly gzipBytes: number;
}

/** Bundles the deployed worker into `directory`. */
export async function bundleEdge(directory: string): Promise<WorkerBundle> {
  const { unstable_readConfig: readConfig } = await import('wrangler');
  const { vars, compatibility_date: compatibilityDate = '' } = readConfig({ config: EDGE_CONFIG });
  const path = await bundle(EDGE_CONFIG, directory, 'worker.js');
  const texts = Object.entries(vars).map(([name, value]) => [
    name,
    typeof value === 'string' ? value : JSON.stringify(value),
  ]);
  return { path, compatibilityDate, vars: Object.fromEntries(texts), gzipBytes: gzipSync(readFileSync(path)).length };
}

/** Bundles another worker, minified and with the compatibility date of the deployed one. */
export async function bundleLike(edge: WorkerBundle, entry: string, directory: string): Promise<WorkerBundle> {
  const { compatibilityDate } = edge;
  const config = join(directory, 'wrangler.json');
  const settings = {
    name: 'bench',
    main: entry,
    compatibility_date: compatibilityDate,
    minify: true,
    keep_names: false,
  };
  writeFileSync(config, JSON.stringify(settings));
  const path = await bundle(config, directory, entry.replace(/^.*\//, '').replace(/\.ts$/, '.js'));
  return { path, compatibilityDate, vars: {}, gzipBytes: gzipSync(readFileSync(path)).length };
}

async function bundle(config: string, directory: string, name: string): Promise<string> {
  const wrangler = fileURLToPath(new URL('bin/wrangler.js', import.meta.resolve('wrangler/package.json')));
  await promisify(execFile)(
    process.execPath,
    [wrangler, 'deploy', '--dry-run', '--config', config, '--outdir', directory],
    {
      // Without its banner, wrangler does not check the registry for a newer version.
      env: { ...process.env, WRANGLER_SEND_METRICS: 'false', WRANGLER_HIDE_BANNER: 'true', CI: 'true' },
      timeout: BUNDLE_TIMEOUT_MS,
    },
  );
  return join(directory, name);
}
