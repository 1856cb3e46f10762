// The manifest that each origin serves. Origins keep the last good version in memory, so they know what a broken or
// deleted row no longer says.
import { isLoopback } from '../../shared/config/loopback.ts';
import { makeSecret } from '../../shared/config/variables.ts';
import { type Manifest, parseManifest } from '../../shared/domain/manifest.ts';
import { type Clock, pause, systemClock } from '../../shared/runtime/clock.ts';
import { mintOriginToken } from '../../shared/wire/origin-token.ts';
import { MANIFEST_PATH } from '../../shared/wire/read-request.ts';
import { call, describeCallError } from '../cli/http.ts';
import { type ConnectionFlags, findTargetCloud } from '../cli/settings.ts';
import { UsageError } from '../cli/usage-error.ts';

export interface Origins {
  readonly regions: readonly { readonly name: string; readonly origin: string }[];
  /** The `ORIGIN_SECRET` of the worker. */
  readonly secret: string;
}

export interface ServedManifest {
  /** Region of the origin. */
  readonly name: string;
  /** Undefined if the origin did not answer with a valid manifest. */
  readonly manifest: Manifest | undefined;
  readonly problem?: string;
}

/**
 * The origins of the instance: from EARSHOT_ORIGINS, or those of the local cloud if that is the target. Undefined
 * without either. Throws a UsageError for a wrong variable.
 */
export function findOrigins(flags: ConnectionFlags): Origins | undefined {
  const { EARSHOT_ORIGINS, EARSHOT_ORIGIN_SECRET } = process.env;
  if (EARSHOT_ORIGINS !== undefined && EARSHOT_ORIGINS !== '') {
    if (EARSHOT_ORIGIN_SECRET === undefined)
      throw new UsageError('expected EARSHOT_ORIGIN_SECRET beside EARSHOT_ORIGINS: it signs the calls to origins');
    const regions = parseOrigins(EARSHOT_ORIGINS);
    return { regions, secret: requireStrong(EARSHOT_ORIGIN_SECRET, regions) };
  }
  const local = findTargetCloud(flags);
  if (local?.originSecret === undefined) return undefined;
  return { regions: local.regions, secret: local.originSecret };
}

/** Throws a UsageError for a secret that no origin accepts outside this machine. */
function requireStrong(secret: string, regions: Origins['regions']): string {
  const isLocal = regions.every(({ origin }) => isThisMachine(origin));
  const result = makeSecret({ isLocal }).safeParse(secret);
  if (result.success) return secret;
  throw new UsageError(`EARSHOT_ORIGIN_SECRET: ${result.error.issues[0]?.message}`);
}

const isThisMachine = (url: string): boolean => isLoopback(new URL(url).hostname);

/** Parses `asia=https://a.example,europe=https://b.example`. */
function parseOrigins(text: string): Origins['regions'] {
  return text.split(',').map((pair) => {
    const [, name = '', origin = ''] = /^\s*([a-z][a-z0-9-]{0,31})=(https?:\/\/\S+?)\/*\s*$/.exec(pair) ?? [];
    if (name !== '' && URL.canParse(origin)) {
      const { protocol, username, password } = new URL(origin);
      // The call carries a token of the origin.
      if (protocol === 'http:' && !isThisMachine(origin))
        throw new UsageError(`expected https:// in EARSHOT_ORIGINS outside this machine, got http:// for ${name}`);
      if (username + password === '') return { name, origin };
      throw new UsageError(`expected EARSHOT_ORIGINS without credentials, got some for ${name}`);
    }
    throw new UsageError(`expected EARSHOT_ORIGINS as region=url,region=url, got ${JSON.stringify(text)}`);
  });
}

const CALL_TIMEOUT_MS = 2_000;

/** Never rejects: `problem` says why an origin gave no manifest. Empty without origins. */
export async function readServedManifests(origins: Origins | undefined): Promise<ServedManifest[]> {
  if (origins === undefined) return [];
  return Promise.all(
    origins.regions.map(async ({ name, origin }) => {
      try {
        const claims = { subject: 'earshot', region: name, nowMs: systemClock.now() };
        const headers = { Authorization: `Bearer ${await mintOriginToken(origins.secret, claims)}` };
        const { status, text } = await call(`${origin}${MANIFEST_PATH}`, { headers, timeoutMs: CALL_TIMEOUT_MS });
        if (status !== 200) return { name, manifest: undefined, problem: `status ${status}` };
        return { name, manifest: parseManifest(text) };
      } catch (error) {
        return { name, manifest: undefined, problem: describeCallError(error) };
      }
    }),
  );
}

const ASK_EVERY_MS = 500;

/** Asks until every origin serves `version` or a later one, or `waitMs` have passed. Returns the last answers. */
export async function waitUntilServed(
  origins: Origins | undefined,
  version: number,
  { clock, waitMs }: { clock: Clock; waitMs: number },
): Promise<ServedManifest[]> {
  const untilMs = clock.monotonicNow() + waitMs;
  for (;;) {
    const served = await readServedManifests(origins);
    const isEverywhere = served.every(({ manifest }) => (manifest?.version ?? -1) >= version);
    if (isEverywhere || clock.monotonicNow() + ASK_EVERY_MS > untilMs) return served;
    await pause(clock, ASK_EVERY_MS);
  }
}

/** One line: the origins that serve `version`, the others with their reason, and the parts that were not asked. */
export function describeServed(served: readonly ServedManifest[], version: number): string {
  if (served.length === 0) {
    return 'not confirmed by any origin: none is known (set EARSHOT_ORIGINS and EARSHOT_ORIGIN_SECRET); the edge takes it up within about 10 s\n';
  }
  const isServing = ({ manifest }: ServedManifest): boolean => (manifest?.version ?? -1) >= version;
  const names = served.filter(isServing).map(({ name }) => name);
  const others = served.filter((each) => !isServing(each)).map(describeOther);
  const confirmed = names.length === 0 ? 'confirmed by no origin' : `confirmed by the origin in ${names.join(', ')}`;
  const missing = others.length === 0 ? '' : `; not confirmed by ${others.join(', ')}`;
  return `${confirmed}${missing}; the edge takes it up within about 10 s\n`;
}

const describeOther = ({ name, manifest, problem }: ServedManifest): string =>
  `${name} (${manifest === undefined ? problem : `serves version ${manifest.version}`})`;
