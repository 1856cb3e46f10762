// `node bench/ingest-loader.ts FILE`: loads FILE with the earshot command; prints how long it took and what memory it needed at most.
import { runEarshot } from '../ops/program.ts';
import { peakMb } from './support/processes.ts';

const [file = ''] = process.argv.slice(2);
const startedAtMs = performance.now();
process.exitCode = await runEarshot(['ingest', file, '--surface', 'home', '--variant', 'control']);
process.stdout.write(`${JSON.stringify({ durationMs: performance.now() - startedAtMs, peakMb: peakMb() })}\n`);
