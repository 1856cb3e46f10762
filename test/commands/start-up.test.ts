// The modules that a short call of `earshot` loads. Start-up is most of its time, and `npm run bench -- startup`
// measures it.
import { expect, test } from 'vitest';
import { runNode } from '../../bench/rigs/local-cloud.ts';

/** Prints the address of each module that Node loads. */
const RECORDER = `data:text/javascript,${encodeURIComponent(`
  import { registerHooks } from 'node:module';
  registerHooks({ load(url, context, next) { process.stderr.write('loaded ' + url + '\\n'); return next(url, context); } });
`)}`;

async function packagesOf(...args: string[]): Promise<string[]> {
  const { code, stderr } = await runNode(['--import', RECORDER, 'ops/earshot.mjs', ...args]);
  expect(code).toBe(0);
  const packages = [...stderr.matchAll(/^loaded .*\/node_modules\/((?:@[^/]+\/)?[^/]+)\//gm)].map(
    ([, name]) => name ?? '',
  );
  return [...new Set(packages)].sort();
}

test('`earshot --help` and `--version` load nothing but the parser of arguments', async () => {
  expect(await packagesOf('--help')).toEqual(['commander']);
  expect(await packagesOf('--version')).toEqual(['commander']);
});

test.each(['token', 'status', 'fault', 'ingest', 'publish', 'schema', 'manifest'])(
  '`earshot %s --help` loads neither the client of Bigtable nor an HTTP client',
  async (name) => {
    const packages = await packagesOf(name, '--help');
    expect(packages).toContain('commander');
    expect(packages.filter((each) => /^@google-cloud|google-gax|undici/.test(each))).toEqual([]);
  },
);
