// Entry of the origin's process: `npm run origin`. It listens for SIGTERM and SIGINT before it loads anything else.
// Without a listener, process 1 of a container ignores them, and any other process ends with the signal's exit code.
import './require-node.mjs';

const ending = new AbortController();
for (const signal of ['SIGTERM', 'SIGINT']) process.on(signal, () => ending.abort());

const { runOrigin } = await import('./main.ts');
process.exit(await runOrigin(process.env, ending.signal));
