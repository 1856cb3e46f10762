// Requests to an origin: `lists:read`, the manifest, health checks, and paths of no route.
import fc from 'fast-check';
import { LISTS_READ_PATH, MANIFEST_PATH } from '../../../../shared/wire/read-request.ts';
import { listsReadBody } from './bodies.ts';
import { authorize } from './edge-requests.ts';
import { contentType, ILLEGAL_HOSTS, LEGAL_HOSTS, someHeaders } from './headers.ts';
import { COMMON_METHODS, type FuzzRequest, isLegalTarget, type Message, serialize } from './request.ts';
import { hostileText, spelled } from './texts.ts';
import { originCredentials } from './tokens.ts';

type Draft = Pick<Message, 'method' | 'target' | 'body' | 'isChunked' | 'version'>;

/** Methods that Node's parser knows. */
const KNOWN_METHODS = [...COMMON_METHODS, 'M-SEARCH'];
const UNKNOWN_METHODS = ['get', 'FOO', 'CONNECT', '__proto__'];

const listsRead: fc.Arbitrary<Draft> = fc
  .tuple(listsReadBody, fc.boolean())
  .map(([body, isChunked]) => ({ method: 'POST', target: LISTS_READ_PATH, body, isChunked }));

const PROBES = ['/livez', '/readyz', '/metrics'];
const probe: fc.Arbitrary<Draft> = fc
  .tuple(
    fc.constantFrom('GET', 'GET', 'HEAD'),
    fc.constantFrom(...PROBES),
    fc.constantFrom('', '', '?x=1', '?%', '/'),
    fc.boolean(),
  )
  .map(([method, path, rest, isOld]) => ({
    method,
    target: `${path}${rest}`,
    version: isOld ? 'HTTP/1.0' : 'HTTP/1.1',
  }));

const manifest: fc.Arbitrary<Draft> = fc
  .constantFrom('GET', 'GET', 'HEAD', 'POST')
  .map((method) => ({ method, target: MANIFEST_PATH }));

const OTHER_PATHS = [
  ...[
    '/',
    '*',
    '//',
    '/internal',
    '/internal/',
    '/internal/v1/status',
    '/v1/me/recommendations/home',
    '//livez',
    '/livez#x',
  ],
  ...[
    'http://evil.example/livez',
    'https://',
    'http://[',
    '/internal/v1/../v1/manifest',
    '/%69nternal/v1/manifest',
    '/\\x',
  ],
  ...[
    `${LISTS_READ_PATH}?x`,
    `${LISTS_READ_PATH}/`,
    '/internal/v1/lists%3Aread',
    '/%',
    '/%00',
    `/${'a/'.repeat(2_000)}`,
  ],
];
const others: fc.Arbitrary<Draft> = fc
  .tuple(
    fc.oneof(fc.constant('GET'), fc.constantFrom(...KNOWN_METHODS), fc.constantFrom(...UNKNOWN_METHODS)),
    fc.oneof(
      fc.constantFrom(...OTHER_PATHS),
      fc.constantFrom(LISTS_READ_PATH, MANIFEST_PATH, ...PROBES),
      spelled(hostileText).map((path) => `/${path}`),
    ),
    fc.option(listsReadBody, { nil: undefined, freq: 4 }),
  )
  .map(([method, target, body]) => ({ method, target, body }));

const host = fc.oneof(
  { weight: 4, arbitrary: fc.constant('origin.example') },
  { weight: 2, arbitrary: fc.constantFrom(...LEGAL_HOSTS) },
  { weight: 1, arbitrary: fc.constantFrom(...ILLEGAL_HOSTS) },
  { weight: 1, arbitrary: fc.constant(undefined) },
);

/** An origin takes any Host. Without one, only HTTP/1.0 is well-formed. */
export const originRequest: fc.Arbitrary<FuzzRequest> = fc
  .tuple(
    fc.oneof(
      { weight: 6, arbitrary: listsRead },
      { weight: 1, arbitrary: manifest },
      { weight: 2, arbitrary: probe },
      { weight: 2, arbitrary: others },
    ),
    originCredentials,
    someHeaders,
    contentType,
    host,
  )
  .map(([draft, credentials, headers, type, name]) =>
    serialize({
      ...draft,
      side: 'origin',
      headers: [
        ...(name === undefined ? [] : [['Host', name] as const]),
        ...authorize(credentials),
        ...(draft.body === undefined ? [] : [['Content-Type', type] as const]),
        ...headers,
      ],
      grant: credentials.grant,
      isWhole:
        KNOWN_METHODS.includes(draft.method) &&
        isLegalTarget(draft.target) &&
        (name !== undefined || draft.version === 'HTTP/1.0'),
    }),
  );
