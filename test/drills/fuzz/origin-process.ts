// The origin as a process of its own, from the environment as in origin/main.ts. Its event loop counts as idle, because
// admission by CPU would refuse requests on a busy machine.
import { pino } from 'pino';
import { readOriginConfig } from '../../../origin/config.ts';
import { startOrigin } from '../../../origin/server.ts';
import { systemClock } from '../../../shared/runtime/clock.ts';

const config = readOriginConfig(process.env);
const logger = pino({ level: config.logLevel });
await startOrigin(config, { clock: systemClock, logger, loopLoad: () => ({ utilization: 0, lagMs: 0 }) });
