// Entry of the origin service. Configuration comes from the environment, logs go to standard output, SIGTERM and SIGINT
// start the drain.
import { pino } from 'pino';
import { systemClock } from '../shared/runtime/clock.ts';
import { type OriginConfig, readOriginConfig } from './config.ts';
import { watchLoop } from './guard/cpu-admission.ts';
import { startOrigin } from './server.ts';

const EXIT_USAGE = 2;

function readConfigOrExit(): OriginConfig {
  try {
    return readOriginConfig(process.env);
  } catch (error) {
    process.stderr.write(`earshot-origin: ${(error as Error).message}\n`);
    process.exit(EXIT_USAGE);
  }
}

const config = readConfigOrExit();
const logger = pino({ level: config.logLevel, base: { service: 'earshot-origin', region: config.region } });

function exitWith(error: unknown): never {
  process.stderr.write(`earshot-origin: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exit(1);
}

const origin = await startOrigin(config, { clock: systemClock, logger, loopLoad: watchLoop() }).catch(exitWith);
let isDraining = false;
for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  process.on(signal, () => {
    if (isDraining) return;
    isDraining = true;
    origin.drain().then(() => process.exit(0), exitWith);
  });
}
