// `npm start`: runs the local cloud until Ctrl-C, or with --detach until `npm stop`. It listens for signals before it
// loads anything else: process 1 of a container ignores a signal without a listener.
import { enableCompileCache } from 'node:module';
import { COMPILE_CACHE } from './compile-cache.ts';

enableCompileCache(COMPILE_CACHE);
// For the files that wrangler writes for the parts: cached lists among them.
process.umask(0o077);
const ending = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => ending.abort());

const { runStart } = await import('./cloud/run-start.ts');
process.exit(await runStart(process.argv.slice(2), ending));
