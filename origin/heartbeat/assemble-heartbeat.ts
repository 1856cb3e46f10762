// The heartbeat of this process: what it says, and through which app profile.
import { randomUUID } from 'node:crypto';
import type { Logger } from 'pino';
import type { Cohorts } from '../../shared/domain/cohort.ts';
import type { Clock } from '../../shared/runtime/clock.ts';
import type { Counters } from '../../shared/runtime/counters.ts';
import { HEARTBEAT_FORMAT } from '../../shared/wire/heartbeat.ts';
import type { BigtableConnection } from '../bigtable/connection.ts';
import { writeHeartbeat } from '../bigtable/heartbeat-row.ts';
import type { LocalCluster } from '../bigtable/local-cluster.ts';
import { nameBuild } from '../build.ts';
import type { OriginConfig } from '../config.ts';
import { createFailureLog } from './failure-log.ts';
import { createHeartbeatLoop, type HeartbeatLoop } from './heartbeat-loop.ts';

/** A process that ends waits at most this long for its last heartbeat. */
const WRITE_TIMEOUT_MS = 1000;

export interface HeartbeatDeps {
  readonly config: Pick<OriginConfig, 'region' | 'build' | 'appProfile' | 'hedgeProfile'>;
  readonly bigtable: BigtableConnection;
  readonly localCluster: Pick<LocalCluster, 'isUp'>;
  readonly manifestVersion: () => number;
  readonly cohorts: () => Record<string, Cohorts>;
  /** How long lists stay in the caches of the region. */
  readonly residenceMs: () => number | undefined;
  readonly isDraining: () => boolean;
  readonly clock: Clock;
  readonly counters: Counters;
  readonly logger: Logger;
}

export function assembleHeartbeat(deps: HeartbeatDeps): HeartbeatLoop {
  const { bigtable, localCluster, manifestVersion, cohorts, residenceMs, isDraining, clock, counters, logger } = deps;
  const { region, build, appProfile, hedgeProfile = appProfile } = deps.config;
  const identity = {
    format: HEARTBEAT_FORMAT,
    region,
    process: randomUUID(),
    build: nameBuild(build),
    startedAtMs: clock.now(),
  };
  return createHeartbeatLoop({
    write: () =>
      writeHeartbeat(bigtable, {
        appProfile: localCluster.isUp() ? appProfile : hedgeProfile,
        heartbeat: {
          ...identity,
          writtenAtMs: clock.now(),
          manifestVersion: manifestVersion(),
          isDraining: isDraining(),
          residenceMs: residenceMs(),
          cohorts: cohorts(),
        },
        timeoutMs: WRITE_TIMEOUT_MS,
      }),
    clock,
    counters,
    onError: createFailureLog({ clock, logger }),
  });
}
