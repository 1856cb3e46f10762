// The hosts that the worker answers for. Keys of the data centre's cache use the first one: a host that a caller names
// would choose the keys of all callers of the isolate.
import { EarshotError } from '../shared/wire/errors.ts';

/** A host in lower case, and a port if it is not that of the scheme. A full stop may end the name (RFC 1034). */
const HOST =
  /^(?:[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?(?:\.[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?)*|\[[0-9a-f:.]+\])\.?(?::\d{1,5})?$/;
const MAX_HOST_CHARACTERS = 260;
const WILDCARD = '*.';

export const isHost = (text: string): boolean => text.length <= MAX_HOST_CHARACTERS && HOST.test(text);

/** A host, or `*.` and the end of hosts, for previews. */
export const isHostPattern = (text: string): boolean =>
  !text.endsWith('.') && isHost(text.startsWith(WILDCARD) ? text.slice(2) : text);

/** Scheme and host of the keys in the data centre's cache. Only the local cloud has no host of its own. */
export const keyOriginOf = (publicHosts: readonly string[]): string =>
  `https://${publicHosts.find((host) => !host.startsWith(WILDCARD)) ?? 'earshot.internal'}`;

/**
 * Checks the host of a request's URL. It returns `invalid_request` for text that is no host, and `misdirected_request`
 * for a host that is none of `publicHosts`. Without any host configured, every host is right.
 */
export function createHostCheck(publicHosts: readonly string[]): (url: string) => EarshotError | undefined {
  const known = new Set(publicHosts);
  const ends = publicHosts.filter((host) => host.startsWith(WILDCARD)).map((host) => host.slice(1));
  return (url) => {
    const named = hostIn(url);
    if (known.has(named)) return undefined;
    // The runtime leaves the case of the header as it is.
    const host = named.toLowerCase();
    if (known.has(host)) return undefined;
    if (!isHost(host)) return new EarshotError('invalid_request', 'edge', 'expected Host to be the name of a host');
    if (publicHosts.length === 0 || ends.some((end) => host.endsWith(end))) return undefined;
    return new EarshotError('misdirected_request', 'edge', 'this host is not served here');
  };
}

/** The part between `//` and the path. `URL` would take a microsecond of each hit, and throws for a broken host. */
function hostIn(url: string): string {
  const from = url.indexOf('//') + 2;
  const end = url.indexOf('/', from);
  return end === -1 ? url.slice(from) : url.slice(from, end);
}
