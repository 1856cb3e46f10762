// The answer of a worker that cannot be assembled: the same problem for every request, and one log line.
import { toEarshotError } from '../shared/wire/errors.ts';
import { ConfigurationError } from './config.ts';
import type { Log } from './log.ts';
import { chooseRequestId } from './request/request-id.ts';
import { requireHttps } from './respond/every-answer.ts';
import { respondWithProblem } from './respond/problem.ts';

const LOCAL_REMEDY = 'run `npm start`, which writes .dev.vars, then start `npx wrangler dev` again';
const DEPLOYED_REMEDY =
  'set variables in wrangler.toml, secrets with `npx wrangler secret put NAME --env ENVIRONMENT`: docs/configuration.md';

/** Logs `thrown` once. Returns the function that answers every request. */
export function answerNotConfigured(thrown: unknown, log: Log): (request: Request) => Response {
  const error = toEarshotError(thrown, 'edge');
  if (error instanceof ConfigurationError) {
    const { message, missing, isLocal } = error;
    log.error('configuration_invalid', {
      message,
      missing: missing.length === 0 ? undefined : missing.join(', '),
      // `wrangler dev` without .dev.vars has production's variables: the worker cannot tell it from a deployment.
      remedy: isLocal ? LOCAL_REMEDY : `on this machine: ${LOCAL_REMEDY}; in a deployment: ${DEPLOYED_REMEDY}`,
    });
  } else {
    log.error('assembly_failed', { message: error.message });
  }
  const isLocal = error instanceof ConfigurationError && error.isLocal;
  return ({ headers }) => {
    const requestId = chooseRequestId((name) => headers.get(name));
    const problem = respondWithProblem(error, requestId);
    return isLocal ? problem : requireHttps(problem);
  };
}
