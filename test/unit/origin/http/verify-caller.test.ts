import { generateKeyPair, SignJWT } from 'jose';
import { describe, expect, test } from 'vitest';
import { createManualClock } from '../../../../bench/support/manual-clock.ts';
import { createCallerVerifier } from '../../../../origin/http/verify-caller.ts';
import { LISTENER_AUDIENCE, ORIGIN_AUDIENCE } from '../../../../shared/domain/identity.ts';

const SECRET = 'origin-secret-for-tests-only-0123456789-';

function setUp() {
  const clock = createManualClock();
  const nowSeconds = Math.floor(clock.now() / 1000);
  return { clock, nowSeconds, verify: createCallerVerifier([SECRET], clock), token: makeToken(nowSeconds) };
}

function makeToken(nowSeconds: number) {
  type Signing = { alg?: string; key?: Parameters<SignJWT['sign']>[0] };
  return (
    change: (jwt: SignJWT) => SignJWT = (jwt) => jwt,
    { alg = 'HS256', key = Buffer.from(SECRET) }: Signing = {},
  ) => {
    const jwt = new SignJWT().setAudience(ORIGIN_AUDIENCE).setExpirationTime(nowSeconds + 60);
    return change(jwt).setProtectedHeader({ alg }).sign(key);
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

  test.each<[what: string, change: (jwt: SignJWT, nowSeconds: number) => SignJWT]>([
    ["a listener's audience", (jwt) => jwt.setAudience(LISTENER_AUDIENCE)],
    ['an audience that begins alike', (jwt) => jwt.setAudience(`${ORIGIN_AUDIENCE}-2`)],
    ['a moment of expiry that is past', (jwt, nowSeconds) => jwt.setExpirationTime(nowSeconds - 1)],
    ['a moment of validity yet to come', (jwt, nowSeconds) => jwt.setNotBefore(nowSeconds + 30)],
  ])('refuses a token with %s', async (_what, change) => {
    const { nowSeconds, token, verify } = setUp();
    await expect(verify(`Bearer ${await token((jwt) => change(jwt, nowSeconds))}`)).rejects.toMatchObject(
      unauthenticated,
    );
  });

  test('refuses a token that never expires, one without an audience, and one signed with another key or algorithm', async () => {
    const { nowSeconds, token, verify } = setUp();
    const key = Buffer.from(SECRET);
    const header = { alg: 'HS256' };
    const { privateKey } = await generateKeyPair('RS256');
    const tokens = [
      await new SignJWT().setProtectedHeader(header).setAudience(ORIGIN_AUDIENCE).sign(key),
      await new SignJWT()
        .setProtectedHeader(header)
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
  ])('refuses the header %j', async (header) => {
    await expect(setUp().verify(header)).rejects.toMatchObject(unauthenticated);
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
