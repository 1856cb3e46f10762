// Judgements of the edge's answers.
import type { EdgeStatus } from '../../../shared/wire/edge-status.ts';
import { isFarVersion, MESSAGE_VERSION } from '../../../shared/wire/message-version.ts';
import type { Deployment } from '../deployment.ts';
import type { EdgeFacts } from '../examine.ts';
import { allOf, type Finding, failed, ok, skipped } from '../finding.ts';
import type { Probe } from '../probe.ts';

const codeOf = ({ json }: Probe): string | undefined => (json as { code?: string } | undefined)?.code;

/** Whether the worker answers, has a valid configuration, and serves this host. */
export function checkEdge({ edgeUrl }: Deployment, { health }: EdgeFacts): Finding {
  const check = 'edge';
  const { status, problem, roundTripMs } = health;
  if (status === 200) return ok(check, `${edgeUrl} answers in ${roundTripMs} ms`);
  if (status === undefined)
    return failed(
      check,
      `${edgeUrl} does not answer: ${problem}`,
      'check the route and DNS of the worker, and `npx wrangler deployments list --env ENVIRONMENT`',
    );
  if (codeOf(health) === 'not_configured')
    return failed(
      check,
      'the worker has no valid configuration, and refuses every request',
      'its log line configuration_invalid names each variable: `npx wrangler tail --env ENVIRONMENT`; set variables in wrangler.toml, secrets by `npx wrangler secret put`',
    );
  if (status === 421)
    return failed(
      check,
      `the worker does not serve the host of ${edgeUrl}`,
      'add the host to PUBLIC_HOSTS, or ask a host of `routes`',
    );
  return failed(check, `${edgeUrl}/healthz answers with status ${status}`, 'look at `npx wrangler tail`');
}

/** Whether the token of this call is accepted. */
export function checkToken({ token, secrets }: Deployment, { statusProbe }: EdgeFacts): Finding {
  const check = 'tokens';
  if (token === undefined)
    return skipped(check, 'no token: set EARSHOT_TOKEN to one with recs:status, recs:debug and recs:read:any');
  if (statusProbe?.status === undefined) return skipped(check, 'the edge does not answer');
  if (statusProbe.status === 200) return ok(check, 'the edge accepts the token');
  if (statusProbe.status === 401)
    return failed(
      check,
      'the edge refuses the token',
      secrets.has('TOKEN_SECRET')
        ? 'the worker has another TOKEN_SECRET: `npx wrangler secret put TOKEN_SECRET`; compare TOKEN_AUDIENCE and TOKEN_ISSUER, too'
        : 'compare TOKEN_JWKS_URL, TOKEN_AUDIENCE and TOKEN_ISSUER of wrangler.toml with the token',
    );
  if (statusProbe.status === 403)
    return failed(check, 'the token lacks a scope', 'give it recs:status, recs:debug and recs:read:any');
  return failed(check, `the status answers with ${statusProbe.status}`, 'look at `npx wrangler tail`');
}

/** Whether the edge reaches every region, as far as it has tried. */
export function checkRegions({ status }: EdgeFacts): readonly Finding[] {
  const check = 'regions';
  if (status === undefined) return [skipped(check, 'the status of the edge is not known')];
  const failures = status.regions.flatMap(({ name, state }) => {
    const answer = status.manifest.regions.find((region) => region.name === name)?.answer;
    if (state === 'refusing' || answer === UNAUTHENTICATED) return [refuses(check, name)];
    return state === 'healthy' ? [] : [isEjected(check, name)];
  });
  return allOf(check, failures, `order from here: ${status.regions.map(describeRegion).join(', ')}`);
}

/** The answer of a region to the last read of the manifest. */
const UNAUTHENTICATED = 'status 401';

const refuses = (check: string, region: string): Finding =>
  failed(
    check,
    `the origins of ${region} refuse the calls of the edge`,
    `compare ORIGIN_SECRET of the worker with EARSHOT_ORIGIN_SECRET in ${region}, and EARSHOT_REGION with REGIONS`,
  );

const isEjected = (check: string, region: string): Finding =>
  failed(
    check,
    `the edge has ejected ${region}: its origin does not answer, or fails`,
    `look at the origins of ${region}, their log, and the network from Cloudflare to them`,
  );

const describeRegion = ({ name, roundTripMs, isMeasured }: EdgeStatus['regions'][number]): string =>
  `${name} ${Math.round(roundTripMs)} ms${isMeasured ? '' : ' by distance'}`;

/** Whether a cold read goes through a region object to an origin. */
export function checkRead({ read, status }: EdgeFacts): readonly Finding[] {
  const check = 'read path';
  if (read === undefined || status === undefined) return [skipped(check, 'no read without an accepted token')];
  const trail = read.headers.get('cache-status') ?? '';
  const code = codeOf(read);
  if (read.status !== 404 && read.status !== 200)
    return [
      failed(
        check,
        `a read of a new user answers with ${read.status ?? read.problem} ${code ?? ''} (${trail || 'no region was asked'})`,
        'the checks above have the reason, or the log of the worker: `npx wrangler tail`',
      ),
    ];
  if (!/\bregion-[a-z0-9-]+; fwd=miss/.test(trail))
    return [
      failed(
        check,
        `the read passed no region object (${trail})`,
        'deploy with the binding REGION_CACHE and its migration, or expect many more reads at origins; REGION_TIER=off and the switch region-tier turn it off, too',
      ),
    ];
  // The keys are as long as the rest of it.
  return [ok(check, trail.replaceAll(/; key="[^"]*"/g, ''))];
}

/** Whether worker, objects and origins understand each other. */
export function checkBuilds({ status }: EdgeFacts): readonly Finding[] {
  const check = 'builds';
  if (status?.builds === undefined) return [skipped(check, 'the edge names no builds')];
  const failures = status.builds
    .filter(({ messages }) => isFarVersion(messages))
    .map(({ part, build, messages }) =>
      failed(
        check,
        `${part} runs ${build} with messages of version ${messages}; this build has ${MESSAGE_VERSION}`,
        `deploy ${part} in steps: each build serves the version before and after its own (docs/deploying.md)`,
      ),
    );
  return allOf(check, failures, status.builds.map(({ part, build }) => `${part} ${build}`).join(', '));
}
