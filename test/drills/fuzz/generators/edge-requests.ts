// Requests to the worker: reads, batches, the other routes, and paths of no route.
import fc from 'fast-check';
import { batchBody } from './bodies.ts';
import { contentType, ILLEGAL_HOSTS, KNOWN_HOSTS, LEGAL_HOSTS, someHeaders } from './headers.ts';
import { COMMON_METHODS, type FuzzRequest, type Header, isLegalTarget, type Message, serialize } from './request.ts';
import { anySurface, anyUser, anyVariant, hostileText, spelled } from './texts.ts';
import { type Credentials, listenerCredentials, NO_GRANT } from './tokens.ts';

export const EDGE_HOST = 'edge.example';

/** Methods of HTTP and of WebDAV that workerd passes on to a worker. */
const KNOWN_METHODS = [...COMMON_METHODS, 'PURGE'];
/** Methods that a server need not know. */
const UNKNOWN_METHODS = ['get', 'Query', 'FOO', 'CONNECT', 'PRI', '__proto__', 'M-SEARCH', 'X'.repeat(100)];

const pair = (name: string, value: fc.Arbitrary<string>): fc.Arbitrary<string> =>
  value.map((each) => `${name}=${each}`);

const LIMITS = [
  '1',
  '2',
  '50',
  '100',
  '101',
  '0',
  '-1',
  '1.5',
  '1e1',
  '',
  ' 1',
  '%31',
  '9'.repeat(400),
  'NaN',
  '+1',
  '01',
];
const parameter = fc.oneof(
  pair('limit', fc.constantFrom(...LIMITS)),
  pair('limit', fc.integer({ min: 1, max: 100 }).map(String)),
  pair('fallback', fc.constantFrom('popular', 'none', 'none', '', 'Popular', 'personal')),
  pair('variant', spelled(anyVariant)),
  pair('expand', fc.constantFrom('items', 'items', 'all', '')),
  pair('%6cimit', fc.constantFrom('1')),
  fc.constantFrom(
    'limit',
    '&&',
    '=',
    '__proto__=1',
    'constructor=1',
    'limit[]=1',
    'x=%',
    '?',
    `y=${'z'.repeat(9_000)}`,
    '%00=1',
  ),
  spelled(hostileText),
);

const query = fc.oneof(
  { weight: 10, arbitrary: fc.constant('') },
  { weight: 5, arbitrary: fc.array(parameter, { minLength: 1, maxLength: 4 }).map((all) => `?${all.join('&')}`) },
);

const ownPath = spelled(anySurface).map((surface) => `/v1/me/recommendations/${surface}`);
const userPath = fc
  .tuple(spelled(anyUser), spelled(anySurface))
  .map(([user, surface]) => `/v1/users/${user}/recommendations/${surface}`);

const OTHER_PATHS = [
  ...[
    '/',
    '*',
    '//',
    '/v1',
    '/v1/',
    '/v1/me',
    '/v1/users//recommendations/home',
    '/v1/me/recommendations/home/',
    '/healthz',
  ],
  ...['/internal/v1/status', '/internal/v1/manifest', '/internal/v1/lists:read', '/openapi.json', '/.earshot/lists/x'],
  ...[
    '/v1/../internal/v1/status',
    '/v1/%2e%2e/internal/v1/status',
    '//evil.example/v1/me/recommendations/home',
    '/\\evil',
  ],
  ...[
    'http://evil.example/v1/me/recommendations/home',
    'https://edge.example/healthz',
    '/v1/me/recommendations/home#x',
  ],
  ...[
    `/${'a/'.repeat(3_000)}`,
    `/v1/users/${'x'.repeat(30_000)}/recommendations/home`,
    '/v1/me/recommendations/home;a=b',
  ],
  ...[
    '/%',
    '/%zz',
    '/%00',
    '/%ff%fe',
    '/v1/me/recommendations/ho%6de',
    '/V1/me/recommendations/home',
    '/.well-known/x',
  ],
  ...[
    '/v1/recommendations',
    '/v1/recommendations:batch',
    '/v1/recommendations%3Abatch',
    '/v1/me/recommendations/:surface',
  ],
];

const host = fc.oneof(
  { weight: 20, arbitrary: fc.constant(EDGE_HOST) },
  { weight: 1, arbitrary: fc.constantFrom(...KNOWN_HOSTS) },
  { weight: 1, arbitrary: fc.constantFrom(...LEGAL_HOSTS) },
  { weight: 1, arbitrary: fc.constantFrom(...ILLEGAL_HOSTS) },
);

type Draft = Pick<Message, 'method' | 'target' | 'body' | 'isChunked'> & { readonly type?: string };

const reads: fc.Arbitrary<Draft> = fc
  .tuple(fc.constantFrom('GET', 'GET', 'GET', 'GET', 'GET', 'HEAD'), fc.oneof(ownPath, userPath, userPath), query)
  .map(([method, path, search]) => ({ method, target: `${path}${search}` }));

const batches: fc.Arbitrary<Draft> = fc
  .tuple(fc.boolean(), batchBody, contentType, fc.boolean())
  .map(([isQuery, body, type, isChunked]) => ({
    ...(isQuery
      ? { method: 'QUERY', target: '/v1/recommendations' }
      : { method: 'POST', target: '/v1/recommendations:batch' }),
    ...{ body, type, isChunked },
  }));

const others: fc.Arbitrary<Draft> = fc
  .tuple(
    fc.oneof(fc.constant('GET'), fc.constantFrom(...KNOWN_METHODS), fc.constantFrom(...UNKNOWN_METHODS)),
    fc.oneof(
      fc.constantFrom(...OTHER_PATHS),
      ownPath,
      userPath,
      spelled(hostileText).map((path) => `/${path}`),
    ),
    query,
    fc.option(batchBody, { nil: undefined, freq: 4 }),
  )
  .map(([method, path, search, body]) => ({ method, target: `${path}${search}`, body }));

/** Whole requests; those with a method or a host that a server may refuse do not count as such. */
export const edgeRequest: fc.Arbitrary<FuzzRequest> = fc
  .tuple(
    fc.oneof({ weight: 6, arbitrary: reads }, { weight: 4, arbitrary: batches }, { weight: 3, arbitrary: others }),
    listenerCredentials,
    someHeaders,
    host,
  )
  .map(([{ type, ...draft }, credentials, headers, name]) =>
    serialize({
      ...draft,
      side: 'edge',
      headers: [
        ['Host', name],
        ...authorize(credentials),
        ...(type === undefined ? [] : [['Content-Type', type] as const]),
        ...headers,
      ],
      // A host that the worker does not answer for gets no list, whatever the token.
      grant: name === EDGE_HOST || KNOWN_HOSTS.includes(name) ? credentials.grant : NO_GRANT,
      isWhole: KNOWN_METHODS.includes(draft.method) && isLegalTarget(draft.target) && !ILLEGAL_HOSTS.includes(name),
    }),
  );

export const authorize = ({ authorization }: Credentials): Header[] =>
  authorization === undefined ? [] : [['Authorization', authorization]];
