import { CompactSign, generateKeyPair, jwtVerify, SignJWT } from 'jose';
import { describe, expect, test } from 'vitest';
import { createManualClock } from '../../../../bench/support/manual-clock.ts';
import { createCallerVerifier } from '../../../../origin/http/verify-caller.ts';
import { LISTENER_AUDIENCE, ORIGIN_AUDIENCE } from '../../../../shared/domain/identity.ts';
import { makeKeyId, mintOriginToken } from '../../../../shared/wire/origin-token.ts';

const SECRET = 'origin-secret-for-tests-only-0123456789-';
const REGION = 'asia';
const KEY_ID = await makeKeyId(SECRET);

function setUp() {
  const clock = createManualClock();
  const nowSeconds = Math.floor(clock.now() / 1000);
  return {
    clock,
    nowSeconds,
    verify: createCallerVerifier({ secrets: [SECRET], region: REGION, clock }),
    token: makeToken(nowSeconds),
  };
}

function makeToken(nowSeconds: number) {
  type Signing = { alg?: string; key?: Parameters<SignJWT['sign']>[0]; kid?: string | undefined; claims?: object };
  return (
    change: (jwt: SignJWT) => SignJWT = (jwt) => jwt,
    { alg = 'HS256', key = Buffer.from(SECRET), kid = KEY_ID, claims = { region: REGION } }: Signing = {},
  ) => {
    const jwt = new SignJWT({ ...claims })
      .setAudience(ORIGIN_AUDIENCE)
      .setIssuedAt(nowSeconds)
      .setExpirationTime(nowSeconds + 60);
    return change(jwt).setProtectedHeader({ alg, kid }).sign(key);
  };
}

const unauthenticated = { code: 'unauthenticated', source: 'origin', retryable: false };

describe('the verifier', () => {
  test('lets the edge in, whatever the case of the scheme', async () => {
    const { token, verify } = setUp();
    const valid = await token();
    for (const scheme of ['Bearer', 'bearer', 'BEARER']) await verify(`${scheme} ${valid}`);
  });

  test('lets a token in until its last second is over, also one that it remembers', async () => {
    const { clock, token, verify } = setUp();
    const remembered = `Bearer ${await token()}`;
    const fresh = `Bearer ${await token((jwt) => jwt.setSubject('another'))}`;
    await verify(remembered);
    clock.advance(59_999);
    await verify(remembered);
    clock.advance(1);
    for (const expired of [remembered, fresh]) await expect(verify(expired)).rejects.toMatchObject(unauthenticated);
    clock.advance(3_600_000);
    await expect(verify(remembered)).rejects.toMatchObject(unauthenticated);
  });

  test('remembers a token wholly: the same claims under another signature are refused', async () => {
    const { token, verify } = setUp();
    const valid = await token();
    await verify(`Bearer ${valid}`);
    const [header, payload, signature = ''] = valid.split('.');
    const flipped = signature.startsWith('A') ? `B${signature.slice(1)}` : `A${signature.slice(1)}`;
    await expect(verify(`Bearer ${header}.${payload}.${flipped}`)).rejects.toMatchObject(unauthenticated);
    await verify(`Bearer ${valid}`);
  });

  test('does not remember a token that it refused', async () => {
    const { token, verify } = setUp();
    const foreign = `Bearer ${await token((jwt) => jwt.setAudience(LISTENER_AUDIENCE))}`;
    for (let i = 0; i < 2; i++) await expect(verify(foreign)).rejects.toMatchObject(unauthenticated);
  });

  test.each<[what: string, reason: string, change: (jwt: SignJWT, nowSeconds: number) => SignJWT]>([
    ["a listener's audience", 'audience', (jwt) => jwt.setAudience(LISTENER_AUDIENCE)],
    ['an audience that begins alike', 'audience', (jwt) => jwt.setAudience(`${ORIGIN_AUDIENCE}-2`)],
    ['a moment of expiry that is past', 'expired', (jwt, now) => jwt.setExpirationTime(now - 1)],
    ['a moment of expiry within the tolerance of clocks', 'expired', (jwt, now) => jwt.setExpirationTime(now)],
    ['a moment of validity ahead', 'not_yet_valid', (jwt, now) => jwt.setNotBefore(now + 31)],
    ['a moment of issue ahead', 'not_yet_valid', (jwt, now) => jwt.setIssuedAt(now + 31)],
    ['a lifetime of more than 10 minutes', 'lifetime', (jwt, now) => jwt.setExpirationTime(now + 601)],
    ['a lifetime beyond numbers', 'lifetime', (jwt) => jwt.setExpirationTime(Number.MAX_VALUE)],
    ['an issue that is long past', 'lifetime', (jwt, now) => jwt.setIssuedAt(now - 541)],
  ])('refuses a token with %s', async (_what, reason, change) => {
    const { nowSeconds, token, verify } = setUp();
    const refused = verify(`Bearer ${await token((jwt) => change(jwt, nowSeconds))}`);
    await expect(refused).rejects.toMatchObject({ ...unauthenticated, reason });
  });

  test.each<[what: string, change: (jwt: SignJWT, nowSeconds: number) => SignJWT]>([
    ['the longest lifetime', (jwt, now) => jwt.setExpirationTime(now + 600)],
    ['a clock that is 30 s ahead', (jwt, now) => jwt.setIssuedAt(now + 30).setNotBefore(now + 30)],
  ])('accepts a token with %s', async (_what, change) => {
    const { nowSeconds, token, verify } = setUp();
    await verify(`Bearer ${await token((jwt) => change(jwt, nowSeconds))}`);
  });

  test.each<[what: string, reason: string, claims: object]>([
    ['for another region', 'region', { region: 'europe' }],
    ['for a region that is no text', 'region', { region: ['asia'] }],
    ['for no region', 'claim', {}],
  ])('refuses a token %s', async (_what, reason, claims) => {
    const { token, verify } = setUp();
    const refused = verify(`Bearer ${await token(undefined, { claims })}`);
    await expect(refused).rejects.toMatchObject({ ...unauthenticated, reason });
  });

  test.each([
    ['iat', '1'],
    ['iat', null],
    ['exp', '9999999999'],
    ['nbf', '1'],
    ['nbf', true],
    ['aud', 7],
  ])('refuses a token whose %s is %j', async (name, value) => {
    const { nowSeconds, verify } = setUp();
    const claims = { aud: ORIGIN_AUDIENCE, region: REGION, iat: nowSeconds, exp: nowSeconds + 60, [name]: value };
    const signing = new CompactSign(Buffer.from(JSON.stringify(claims)));
    const token = await signing.setProtectedHeader({ alg: 'HS256', kid: KEY_ID }).sign(Buffer.from(SECRET));
    await expect(verify(`Bearer ${token}`)).rejects.toMatchObject(unauthenticated);
  });

  test('picks the key by its id: a token of an unknown one, or of none, is refused without a signature check', async () => {
    const { token, verify } = setUp();
    for (const kid of ['AAAAAAAA', ''])
      await expect(verify(`Bearer ${await token(undefined, { kid })}`)).rejects.toMatchObject({
        reason: 'unknown_key',
      });
  });

  test('accepts the token that the worker and the command mint, for its own region alone', async () => {
    const { clock, verify } = setUp();
    const mint = (region: string) => mintOriginToken(SECRET, { subject: 'edge', region, nowMs: clock.now() });
    await verify(`Bearer ${await mint(REGION)}`);
    await expect(verify(`Bearer ${await mint('us')}`)).rejects.toMatchObject({
      reason: 'region',
      detail: 'expected a token for region asia, got one for us',
    });
  });

  test('accepts both secrets during a change, and no third one', async () => {
    const { clock } = setUp();
    const [before, after, third] = ['before', 'after', 'third'].map((each) => `${SECRET}${each}`) as [
      string,
      string,
      string,
    ];
    const verify = createCallerVerifier({ secrets: [after, before], region: REGION, clock });
    const mint = (secret: string) => mintOriginToken(secret, { subject: 'edge', region: REGION, nowMs: clock.now() });
    for (const secret of [before, after]) await verify(`Bearer ${await mint(secret)}`);
    await expect(verify(`Bearer ${await mint(third)}`)).rejects.toMatchObject({ reason: 'unknown_key' });
  });

  test('an origin of version 0.1.0 accepts the token, so the worker is deployed first', async () => {
    const { clock } = setUp();
    const token = await mintOriginToken(SECRET, { subject: 'edge', region: REGION, nowMs: clock.now() });
    // The checks of that version.
    const { payload } = await jwtVerify(token, Buffer.from(SECRET), {
      algorithms: ['HS256'],
      audience: ORIGIN_AUDIENCE,
      requiredClaims: ['exp'],
      currentDate: new Date(clock.now()),
    });
    expect(payload.exp).toBe((payload.iat ?? 0) + 300);
  });

  test('the token of a worker of version 0.1.0 is refused: it has neither region nor key id', async () => {
    const { nowSeconds, verify } = setUp();
    const jwt = new SignJWT().setProtectedHeader({ alg: 'HS256' }).setSubject('edge').setAudience(ORIGIN_AUDIENCE);
    const token = await jwt
      .setIssuedAt(nowSeconds)
      .setExpirationTime(nowSeconds + 300)
      .sign(Buffer.from(SECRET));
    await expect(verify(`Bearer ${token}`)).rejects.toMatchObject({ reason: 'unknown_key' });
  });

  test('refuses a token that never expires, one without an audience, and one signed with another key or algorithm', async () => {
    const { nowSeconds, token, verify } = setUp();
    const key = Buffer.from(SECRET);
    const header = { alg: 'HS256', kid: KEY_ID };
    const { privateKey } = await generateKeyPair('RS256');
    const tokens = [
      await new SignJWT({ region: REGION })
        .setProtectedHeader(header)
        .setAudience(ORIGIN_AUDIENCE)
        .setIssuedAt(nowSeconds)
        .sign(key),
      await new SignJWT({ region: REGION })
        .setProtectedHeader(header)
        .setIssuedAt(nowSeconds)
        .setExpirationTime(nowSeconds + 60)
        .sign(key),
      await token(undefined, { key: Buffer.from(SECRET.toUpperCase()) }),
      await token(undefined, { alg: 'RS256', key: privateKey }),
      await token(undefined, { alg: 'HS512' }),
    ];
    for (const each of tokens) await expect(verify(`Bearer ${each}`)).rejects.toMatchObject(unauthenticated);
  });

  test.each([
    undefined,
    '',
    'Bearer',
    'Bearer ',
    'Bearer a.b',
    'Bearer a.b.',
    'Bearer a.b.c.d',
    'Basic a.b.c',
    'a.b.c',
    'Bearer !.b.c',
    'Bearer e30.e30.c',
  ])('refuses the header %j', async (header) => {
    await expect(setUp().verify(header)).rejects.toMatchObject(unauthenticated);
  });

  test('refuses a token of more than 1024 characters', async () => {
    await expect(setUp().verify(`Bearer ${'a'.repeat(1024)}.b.c`)).rejects.toMatchObject({ reason: 'malformed' });
  });

  test('challenges the caller as RFC 6750 says', async () => {
    const { verify } = setUp();
    await expect(verify(undefined)).rejects.toMatchObject({ headers: { 'WWW-Authenticate': 'Bearer' } });
    await expect(verify('Bearer a.b.c')).rejects.toMatchObject({
      headers: { 'WWW-Authenticate': 'Bearer error="invalid_token"' },
    });
  });

  test('tells why in the cause and never in the message', async () => {
    const { token, verify } = setUp();
    const foreign = await token((jwt) => jwt.setAudience(LISTENER_AUDIENCE));
    await expect(verify(`Bearer ${foreign}`)).rejects.toMatchObject({
      message: 'the token was refused',
      cause: { code: 'ERR_JWT_CLAIM_VALIDATION_FAILED' },
    });
  });
});
