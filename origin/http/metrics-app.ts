// The routes of the metrics' port: `/metrics`, and health with its reasons. Nothing else is served there.
import { Hono } from 'hono';
import { type AppDeps, withProblems } from './app.ts';
import { addHealth } from './health.ts';

export interface MetricsAppDeps extends Omit<AppDeps, 'verifyCaller'> {
  readonly exposeMetrics: () => Promise<{ readonly contentType: string; readonly body: string }>;
}

export function createMetricsApp(deps: MetricsAppDeps): Hono {
  const app = new Hono();
  addHealth(app, deps, { withReason: true });
  app.get('/metrics', async (c) => {
    const { contentType, body } = await deps.exposeMetrics();
    return c.body(body, 200, { 'Content-Type': contentType });
  });
  return withProblems(app, deps);
}
