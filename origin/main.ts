// The origin as a process: configuration comes from the environment, logs go to standard output.
import { once } from 'node:events';
import type { Logger } from 'pino';
import { systemClock } from '../shared/runtime/clock.ts';
import { nameBuild } from './build.ts';
import { type OriginConfig, readOriginConfig } from './config.ts';
import { watchLoop } from './guard/cpu-admission.ts';
import { createLogger } from './log.ts';
import { startOrigin } from './server.ts';
import { NO_TRACING, type Tracing } from './tracing/request-trace.ts';

const EXIT_FAILED = 1;
const EXIT_USAGE = 2;

/**
 * Serves until `ending` aborts, then drains. Returns the exit code: 0 drained, 1 failed, 2 wrong configuration. The
 * message of a failure is on standard error. Before the origin listens and is primed, an abort ends it at once.
 */
export async function runOrigin(env: NodeJS.ProcessEnv, ending: AbortSignal): Promise<number> {
  let config: OriginConfig;
  try {
    config = readOriginConfig(env);
  } catch (error) {
    return report(error, EXIT_USAGE);
  }
  const ended = ending.aborted ? Promise.resolve() : once(ending, 'abort');
  try {
    const logger = createLogger(config);
    const tracing = config.isTraced ? await openTracing(config, logger) : NO_TRACING;
    const starting = startOrigin(config, { clock: systemClock, logger, loopLoad: watchLoop(), tracing });
    const origin = await Promise.race([starting, ended.then(() => undefined)]);
    if (origin === undefined) return 0;
    await ended;
    await origin.drain();
    return 0;
  } catch (error) {
    return report(error, EXIT_FAILED);
  }
}

/** Loads the exporter only where it is used. */
async function openTracing({ region, build }: OriginConfig, logger: Logger): Promise<Tracing> {
  const { startOtlpTracing } = await import('./tracing/otlp-tracing.ts');
  return startOtlpTracing({ region, build: nameBuild(build), logger });
}

function report(error: unknown, exitCode: number): number {
  process.stderr.write(`earshot-origin: ${error instanceof Error ? error.message : String(error)}\n`);
  return exitCode;
}
