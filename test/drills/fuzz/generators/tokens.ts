// Bearer tokens of every kind: valid ones, claims of every type, wrong keys, odd headers, and texts that are no token.
// Moments are fixed, so one seed gives the same bytes. Only the tokens that an origin accepts differ: they last for
// minutes. Long, because it has every kind.
import { createHmac } from 'node:crypto';
import fc from 'fast-check';
import { TOKEN_SECRET } from '../../../../bench/rigs/edge-asks.ts';
import { LISTENER_AUDIENCE, ORIGIN_AUDIENCE } from '../../../../shared/domain/identity.ts';
import { isPublicId } from '../../../../shared/domain/ids.ts';
import { makeKeyId } from '../../../../shared/wire/origin-token.ts';
import { hostileText, jsonText, knownUser } from './texts.ts';

export const ORIGIN_SECRET = 'origin-secret-of-fuzzed-requests-for-tests-only';
const WRONG_SECRET = 'a-secret-for-tests-only-that-no-process-knows';
/** The fuzzed origin's region, and the id of its key. */
const ORIGIN_REGION = 'asia';
const ORIGIN_KEY_ID = await makeKeyId(ORIGIN_SECRET);
/** In the year 2100. */
const FAR = 4_102_444_800;
/** The worker demands it, by TOKEN_REQUIRED_SCOPES. */
export const REQUIRED_SCOPE = 'recs:read';
/** A service with a small quota: the worker answers most of its requests with 429. */
export const LIMITED_SERVICE = 'limited';

/** The lists that a token may read at most. */
export interface Grant {
  /** The token's own user. Absent: none. */
  readonly user?: string;
  /** Whether the token is valid and lacks the required scope: it reads no list. */
  readonly isWithoutScope?: boolean;
  /** Whether some claim names the scope that allows any user. */
  readonly isAny?: boolean;
  /** Whether the edge's token for origins is valid. */
  readonly isOrigin?: boolean;
}

export const NO_GRANT: Grant = {};

export interface Credentials {
  readonly authorization: string | undefined;
  readonly grant: Grant;
}

type Member = readonly [name: string, json: string];

const base64url = (text: string): string => Buffer.from(text).toString('base64url');

export function sign(header: string, payload: string, secret: string): string {
  const input = `${base64url(header)}.${base64url(payload)}`;
  return `${input}.${createHmac('sha256', secret).update(input).digest('base64url')}`;
}

/** Keeps repeated members, which JSON.stringify cannot write. */
const toJson = (members: readonly Member[]): string =>
  `{${members.map(([name, json]) => `${JSON.stringify(name)}:${json}`).join(',')}}`;

const HS256 = '{"alg":"HS256","typ":"JWT"}';

/** The grant of a token of which `secret` signed `payload`, judged without the code under test. */
function grantOf(header: string, payload: string, secret: string): Grant {
  const head = parseObject(header);
  const claims = parseObject(payload);
  if (head === undefined || claims === undefined || head.alg !== 'HS256' || 'crit' in head) return NO_GRANT;
  const { sub, exp } = claims;
  const audiences = [claims.aud].flat();
  if (typeof exp !== 'number' || exp <= Date.now() / 1000 - 60) return NO_GRANT;
  if (secret === ORIGIN_SECRET) {
    const isForOrigin = audiences.includes(ORIGIN_AUDIENCE) && claims.region === ORIGIN_REGION;
    return isForOrigin && head.kid === ORIGIN_KEY_ID ? { isOrigin: true } : NO_GRANT;
  }
  if (secret !== TOKEN_SECRET || !audiences.includes(LISTENER_AUDIENCE)) return NO_GRANT;
  // A text anywhere in the claims may be a scope. The judge knows an upper bound only.
  if (!isPublicId(sub)) return NO_GRANT;
  if (!JSON.stringify(claims).includes(REQUIRED_SCOPE)) return { isWithoutScope: true };
  return { user: sub, isAny: JSON.stringify(claims).includes('recs:read:any') };
}

function parseObject(json: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(json);
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}

const credentials = (header: string, payload: string, secret: string): Credentials => ({
  authorization: `Bearer ${sign(header, payload, secret)}`,
  grant: grantOf(header, payload, secret),
});

const claimsOf = (user: string): Member[] => [
  ['sub', JSON.stringify(user)],
  ['aud', `"${LISTENER_AUDIENCE}"`],
  ['exp', String(FAR)],
  ['iat', '1700000000'],
];
const OWN_SCOPE: Member = ['scope', `"${REQUIRED_SCOPE}"`];

const SCOPE_JSON = [
  ...[
    '"recs:read:any"',
    '["recs:read:any"]',
    '"recs:read:any recs:preview recs:debug"',
    '["recs:debug","recs:preview"]',
  ],
  ...[
    '"recs:read:any  recs:debug"',
    '"recs:READ:any"',
    '"recs:preview"',
    '"recs:debug"',
    '""',
    '[]',
    '"openid profile"',
  ],
  ...['"recs:read"', '["recs:read","recs:debug"]', '"recs:read recs:preview"', '"RECS:READ"', '"recs:readx"'],
  ...['["recs:read:any recs:debug"]', '"recs:read:any,recs:debug"', '" recs:read:any "', '"\\u0072ecs:read:any"'],
];
const scope: fc.Arbitrary<Member> = fc.tuple(
  fc.constantFrom('scope', 'scp', 'permissions'),
  fc.oneof({ weight: 6, arbitrary: fc.constantFrom(...SCOPE_JSON) }, { weight: 1, arbitrary: jsonText }),
);

const MOMENTS = [
  '0',
  '1',
  '-1',
  '1700000000',
  String(FAR),
  '1e308',
  '9007199254740993',
  '1700000000.5',
  '"4102444800"',
];
const moment: fc.Arbitrary<Member> = fc.tuple(fc.constantFrom('exp', 'nbf', 'iat'), fc.constantFrom(...MOMENTS));
const AUDIENCES = [
  `"${ORIGIN_AUDIENCE}"`,
  '[]',
  `["earshot","${ORIGIN_AUDIENCE}"]`,
  '["other","earshot"]',
  '"Earshot"',
];
const audience: fc.Arbitrary<Member> = fc.tuple(fc.constant('aud'), fc.constantFrom(...AUDIENCES));
const CLAIMS = [
  'azp',
  'sub',
  'aud',
  'exp',
  'nbf',
  'iat',
  'iss',
  'jti',
  'scope',
  'scp',
  'permissions',
  '__proto__',
  'x',
];
const oddClaim: fc.Arbitrary<Member> = fc.tuple(fc.constantFrom(...CLAIMS), jsonText);

const validOwn = knownUser.map((user) => credentials(HS256, toJson([...claimsOf(user), OWN_SCOPE]), TOKEN_SECRET));
const ALL_SCOPES: Member = ['scope', '"recs:read:any recs:preview recs:debug"'];
const validService = fc
  .constantFrom('service:1', 'service:2')
  .map((user) => credentials(HS256, toJson([...claimsOf(user), ALL_SCOPES]), TOKEN_SECRET));
const limitedService = credentials(
  HS256,
  toJson([...claimsOf('service:limited'), ALL_SCOPES, ['azp', `"${LIMITED_SERVICE}"`]]),
  TOKEN_SECRET,
);
/** Valid tokens around the maximum of 8192 characters. */
const longToken = fc
  .tuple(knownUser, fc.constantFrom(1_000, 5_800, 5_950, 6_000, 6_050, 6_200, 7_000))
  .map(([user, length]): Credentials => {
    const members = [...claimsOf(user), OWN_SCOPE, ['groups', `"${'g'.repeat(length)}"`] as const];
    const token = credentials(HS256, toJson(members), TOKEN_SECRET);
    return (token.authorization?.length ?? 0) - 'Bearer '.length > 8_192 ? { ...token, grant: NO_GRANT } : token;
  });
const scoped = fc
  .tuple(knownUser, fc.array(scope, { minLength: 1, maxLength: 2 }))
  .map(([user, scopes]) => credentials(HS256, toJson([...claimsOf(user), ...scopes]), TOKEN_SECRET));

/** Members that stand twice or are gone, and claims of every type, signed with the right secret. */
const oddClaims = fc
  .tuple(
    knownUser,
    fc.array(fc.oneof(oddClaim, oddClaim, moment, audience, scope), { minLength: 1, maxLength: 3 }),
    fc.constantFrom('', '', 'sub', 'aud', 'exp', 'iat', 'scope'),
    fc.boolean(),
  )
  .map(([user, members, gone, isLast]) => {
    const own = [...claimsOf(user), OWN_SCOPE].filter(([name]) => name !== gone);
    return credentials(HS256, toJson(isLast ? [...own, ...members] : [...members, ...own]), TOKEN_SECRET);
  });

const oddPayload = fc
  .oneof(jsonText, fc.constantFrom('', '{', 'null', '{"sub":"listener:1"', '\u0000', '{"sub":"listener:1"}x'))
  .map((payload) => credentials(HS256, payload, TOKEN_SECRET));

const HEADERS = [
  ...[
    '{"alg":"none"}',
    '{"alg":"NONE"}',
    '{"alg":"HS512"}',
    '{"alg":"RS256"}',
    '{"alg":"hs256"}',
    '{"typ":"JWT"}',
    '{}',
  ],
  ...['{"alg":"HS256","crit":["exp"]}', '{"alg":"HS256","crit":[]}', '{"alg":"HS256","b64":false,"crit":["b64"]}'],
  ...[
    '{"alg":"HS256","kid":"../../../dev/null"}',
    '{"alg":"HS256","kid":7}',
    '{"alg":"HS256","kid":{"a":1}}',
    '[]',
    'null',
  ],
  ...[
    '{"alg":"HS256","zip":"DEF"}',
    '{"alg":["HS256"]}',
    '{"alg":"HS256","alg":"none"}',
    '{"alg":"HS256","enc":"A128GCM"}',
  ],
  ...[
    '{"alg":"HS256","jku":"http://127.0.0.1:1/keys"}',
    '{"alg":"HS256","jwk":{"kty":"oct","k":"AA"}}',
    '{"alg":null}',
    '',
  ],
];
const TYPES = ['JWT', 'jwt', 'at+jwt', 'application/at+jwt', 'logout+jwt', 'dpop+jwt', 'JWE', ''].map(
  (typ) => `{"alg":"HS256","typ":"${typ}"}`,
);
const oddHeader = fc
  .tuple(
    knownUser,
    fc.oneof({ weight: 5, arbitrary: fc.constantFrom(...HEADERS, ...TYPES) }, { weight: 1, arbitrary: jsonText }),
  )
  .map(([user, header]) => credentials(header, toJson([...claimsOf(user), OWN_SCOPE]), TOKEN_SECRET));

const wrongKey = fc
  .tuple(knownUser, fc.constantFrom(WRONG_SECRET, ORIGIN_SECRET, ''))
  .map(([user, secret]) => credentials(HS256, toJson([...claimsOf(user), ALL_SCOPES]), secret || 'x'));

const ORIGIN_HEADER = `{"alg":"HS256","kid":"${ORIGIN_KEY_ID}"}`;
const originClaims = (iat: string, exp: string): string =>
  `{"aud":"${ORIGIN_AUDIENCE}","region":"${ORIGIN_REGION}","iat":${iat},"exp":${exp}}`;

const ORIGIN_TOKEN_SECONDS = 600;
let current: { readonly token: Credentials; readonly untilSeconds: number } | undefined;

/** A token that the origin accepts for at least half of its lifetime. */
function validOrigin(): Credentials {
  const now = Math.floor(Date.now() / 1000);
  if (current !== undefined && now < current.untilSeconds) return current.token;
  const claims = originClaims(String(now), String(now + ORIGIN_TOKEN_SECONDS));
  const token = credentials(ORIGIN_HEADER, claims, ORIGIN_SECRET);
  current = { token, untilSeconds: now + ORIGIN_TOKEN_SECONDS / 2 };
  return token;
}

/** Not a signed token at all. Printable: other bytes belong to broken requests. */
const noToken = fc
  .oneof(
    fc.constantFrom(
      '',
      'Bearer',
      'Bearer ',
      'Bearer .',
      'Bearer ..',
      'Bearer a.b.c',
      'Bearer a.b.c.d.e',
      'Basic YTpi',
      'bearer',
    ),
    fc.constantFrom(
      `Bearer ${'a'.repeat(9_000)}`,
      'Bearer e30.e30.',
      'Bearer null',
      'Bearer =',
      'Digest x="y"',
      'Bearer a b',
    ),
    hostileText.map((text) => `Bearer ${text.replaceAll(/[^ -~]/g, '?').slice(0, 4_000)}`),
  )
  .map((authorization) => ({ authorization, grant: NO_GRANT }));
const absent = fc.constant({ authorization: undefined, grant: NO_GRANT });

/** The scheme in other letters or spaces, other texts of one token, and tokens that were cut or changed. */
const respelled = fc
  .tuple(
    fc.oneof(validOwn, validService),
    fc.constantFrom('lower', 'spaces', 'twice', 'padded', 'unused bits', 'cut', 'changed'),
    fc.nat(400),
  )
  .map(([{ authorization, grant }, how, at]): Credentials => {
    if (how === 'lower') return { authorization: authorization?.replace('Bearer', 'bEARER'), grant };
    if (how === 'spaces') return { authorization: `${authorization?.replace(' ', '   ')}  `, grant: NO_GRANT };
    if (how === 'padded') return { authorization: `${authorization}=`, grant: NO_GRANT };
    if (how === 'unused bits') return { authorization: withUnusedBits(authorization ?? ''), grant: NO_GRANT };
    if (how === 'twice') return { authorization: `${authorization}, ${authorization}`, grant: NO_GRANT };
    const text = authorization ?? '';
    // The last character of a signature holds unused bits, so a change there can leave the signature the same.
    const place = 8 + (at % (text.length - 12));
    if (how === 'cut') return { authorization: text.slice(0, place), grant: NO_GRANT };
    const other = text[place] === 'A' ? 'B' : 'A';
    return { authorization: `${text.slice(0, place)}${other}${text.slice(place + 1)}`, grant: NO_GRANT };
  });

const BASE64URL = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';

/** Another text with the same bytes: a signature of 32 bytes leaves two bits of its last character unused. */
function withUnusedBits(text: string): string {
  const last = BASE64URL.indexOf(text.slice(-1));
  return `${text.slice(0, -1)}${BASE64URL[last + 1]}`;
}

/** Tokens for the worker. */
export const listenerCredentials: fc.Arbitrary<Credentials> = fc.oneof(
  { weight: 10, arbitrary: validOwn },
  { weight: 28, arbitrary: validService },
  { weight: 3, arbitrary: scoped },
  { weight: 1, arbitrary: longToken },
  { weight: 3, arbitrary: fc.constant(limitedService) },
  { weight: 5, arbitrary: oddClaims },
  { weight: 1, arbitrary: oddPayload },
  { weight: 2, arbitrary: oddHeader },
  { weight: 1, arbitrary: wrongKey },
  { weight: 1, arbitrary: fc.constant(undefined).map(() => ({ ...validOrigin(), grant: NO_GRANT })) },
  { weight: 1, arbitrary: respelled },
  { weight: 1, arbitrary: noToken },
  { weight: 1, arbitrary: absent },
);

const oddOrigin = fc
  .tuple(
    fc.constantFrom(ORIGIN_HEADER, ORIGIN_HEADER, HS256, ...HEADERS),
    fc.oneof(
      fc.tuple(fc.constantFrom(...MOMENTS), fc.constantFrom(...MOMENTS)).map(([iat, exp]) => originClaims(iat, exp)),
      fc.constantFrom('{}', '{"exp":1e999}', '[]'),
      jsonText,
    ),
    fc.constantFrom(ORIGIN_SECRET, ORIGIN_SECRET, WRONG_SECRET, TOKEN_SECRET),
  )
  .map(([header, payload, secret]) => credentials(header, payload, secret));

/** Tokens for an origin. */
export const originCredentials: fc.Arbitrary<Credentials> = fc.oneof(
  { weight: 12, arbitrary: fc.constant(undefined).map(validOrigin) },
  { weight: 2, arbitrary: oddOrigin },
  { weight: 1, arbitrary: fc.oneof(validService, oddClaims).map((all) => ({ ...all, grant: NO_GRANT })) },
  { weight: 1, arbitrary: noToken },
  { weight: 1, arbitrary: absent },
);
