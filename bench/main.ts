// `npm run bench -- NAME [--json]`: side-by-side measurements. Each compares two things in pairs within one run. The
// ratios are the result, because the machine is never idle.
import { parseArgs } from 'node:util';
import { benchEdge } from './edge/edge.ts';
import { benchErasures } from './effects/erasures.ts';
import { benchExposureSink } from './exposure-sink.ts';
import { benchHostile } from './hostile/hostile.ts';
import { benchImage } from './image.ts';
import { benchIngest } from './ingest/ingest.ts';
import { benchLoading } from './loading.ts';
import { benchOrigin } from './origin/origin.ts';
import { benchOverload } from './overload.ts';
import { benchParse } from './parse.ts';
import { benchRegions } from './regions.ts';
import { benchBadDays } from './releases/bad-days.ts';
import { benchFlip } from './releases/flip.ts';
import { benchLineage } from './releases/lineage.ts';
import { benchPropagation } from './releases/propagation.ts';
import { benchSizing } from './sizing.ts';
import { benchSoak } from './soak/soak.ts';
import { benchStartUp } from './start-up.ts';
import type { BenchResult } from './support/result.ts';
import { benchTraces } from './traces.ts';
import { benchTracing } from './tracing.ts';

const benches: Readonly<Record<string, () => Promise<BenchResult>>> = {
  'bad-days': benchBadDays,
  edge: benchEdge,
  erasures: benchErasures,
  flip: benchFlip,
  hostile: benchHostile,
  image: benchImage,
  ingest: benchIngest,
  lineage: benchLineage,
  loading: benchLoading,
  origin: benchOrigin,
  overload: benchOverload,
  parse: benchParse,
  propagation: benchPropagation,
  regions: benchRegions,
  sink: benchExposureSink,
  sizing: benchSizing,
  soak: benchSoak,
  startup: benchStartUp,
  traces: benchTraces,
  tracing: benchTracing,
};

const EXIT_FAILED = 1;
const EXIT_USAGE = 2;
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { json: { type: 'boolean', default: false } },
});
const [name = ''] = positionals;
const bench = Object.hasOwn(benches, name) ? benches[name] : undefined;

if (bench === undefined || positionals.length !== 1) {
  process.stderr.write(
    `expected npm run bench -- NAME [--json] with one of ${Object.keys(benches).join(', ')}, got ${positionals.join(' ') || 'no name'}\n`,
  );
  process.exitCode = EXIT_USAGE;
} else {
  try {
    const { report, figures } = await bench();
    process.stdout.write(values.json ? `${JSON.stringify({ bench: name, ...figures })}\n` : `${report}\n`);
  } catch (error) {
    process.stderr.write(`bench ${name}: ${(error as Error).message}\n`);
    process.exitCode = EXIT_FAILED;
  }
}
