// `GET /healthz`: the worker runs. It is always 200: a restart of the worker does not bring back a missing manifest.
// `manifest` says whether lists can be served. `builds` names the builds that this isolate knows.
import type { Context } from 'hono';
import type { EdgeDeps } from '../deps.ts';
import { requestIdOf } from '../request/request-id.ts';
import { everyAnswer } from '../respond/every-answer.ts';

export function answerHealth({ builds, manifests }: Pick<EdgeDeps, 'builds' | 'manifests'>, c: Context): Response {
  const { state } = manifests.status();
  const headers = { ...everyAnswer(requestIdOf(c)), 'Cache-Control': 'no-store' };
  return Response.json({ status: 'ok', manifest: state, builds: builds.all() }, { headers });
}
