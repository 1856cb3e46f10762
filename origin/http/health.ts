// Liveness and readiness, on the port of the service and on that of the metrics. Only the port of the metrics tells the
// reason: it names hosts.
import type { Hono } from 'hono';
import type { ManifestPoller } from '../manifest/poller.ts';

export interface HealthDeps {
  readonly manifests: Pick<ManifestPoller, 'latest' | 'failure'>;
  /** Whether the connections to Bigtable have been primed. */
  readonly isWarm: () => boolean;
  /** The reason for which they could not be primed, if there was an attempt. */
  readonly whyCold: () => string | undefined;
  readonly isDraining: () => boolean;
}

interface Readiness {
  readonly status: string;
  readonly reason?: string | undefined;
}

export function addHealth(app: Hono, deps: HealthDeps, { withReason }: { withReason: boolean }): void {
  app.get('/livez', (c) => c.json({ status: 'ok' }));
  app.get('/readyz', (c) => {
    const { status, reason } = readinessOf(deps);
    return c.json(withReason ? { status, reason } : { status }, status === 'ok' ? 200 : 503);
  });
}

function readinessOf({ manifests, isWarm, whyCold, isDraining }: HealthDeps): Readiness {
  if (isDraining()) return { status: 'draining' };
  if (!isWarm()) return { status: 'connecting to Bigtable', reason: whyCold() };
  return manifests.latest() === undefined
    ? { status: 'waiting for the manifest', reason: manifests.failure() }
    : { status: 'ok' };
}
