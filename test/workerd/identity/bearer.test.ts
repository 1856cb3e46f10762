// The bearer token as text: one canonical form, so that one token is one entry of the memory of verified tokens.
import { beforeEach, describe, expect, test } from 'vitest';
import { MAX_TOKEN_CHARACTERS, tokenIn } from '../../../edge/identity/bearer.ts';
import { isSignedJwt } from '../../../shared/wire/signed-jwt.ts';
import { createHarness, type Harness } from '../support/harness.ts';
import { keyOf, makeList } from '../support/lists.ts';
import { signToken } from '../support/tokens.ts';

const PATH = '/v1/me/recommendations/home';
const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
let edge: Harness;
let token: string;

beforeEach(async () => {
  edge = createHarness();
  edge.origins.put(keyOf('ann'), makeList('a'));
  token = await signToken({ nowMs: edge.clock.now() });
});

const statusOf = async (authorization: string): Promise<number> => (await edge.get(PATH, { authorization })).status;

test.each(['Bearer', 'bearer', 'BEARER'])('the scheme %s is understood', async (scheme) => {
  expect(await statusOf(`${scheme} ${token}`)).toBe(200);
});

describe('another text of a valid token is refused', () => {
  test.each<[string, (token: string) => string]>([
    ['two spaces', (text) => `Bearer  ${text}`],
    ['a tab', (text) => `Bearer\t${text}`],
    ['no space', (text) => `Bearer${text}`],
    ['quotation marks', (text) => `Bearer "${text}"`],
    ['two tokens', (text) => `Bearer ${text} ${text}`],
    ['two schemes', (text) => `Bearer ${text}, Bearer ${text}`],
    ['padding', (text) => `Bearer ${text}=`],
    ['more padding', (text) => `Bearer ${text}==`],
    ['a space in the signature', (text) => `Bearer ${text.slice(0, -4)} ${text.slice(-4)}`],
    ['a fourth part', (text) => `Bearer ${text}.AAAA`],
    ['a fourth part that is empty', (text) => `Bearer ${text}.`],
    ['five parts, as an encrypted token has', (text) => `Bearer ${text}.AAAA.AAAA`],
    ['an empty signature', (text) => `Bearer ${text.slice(0, text.lastIndexOf('.') + 1)}`],
    ['100 kB of spaces', (text) => `Bearer${' '.repeat(100_000)}${text}`],
    ['100 kB of another scheme', (text) => `${'B'.repeat(100_000)} ${text}`],
  ])('%s', async (_how, write) => {
    expect(await statusOf(write(token))).toBe(401);
    expect(edge.logs[0]?.fields.reason).toMatch(/^(malformed|too_long)$/);
    expect(edge.origins.calls).toEqual([]);
  });

  test('the alphabet of plain base64', async () => {
    // Each of the characters occurs in most signatures, and this one is made until it does.
    for (let i = 0; !/[-_][^.]*$/.test(token); i++)
      token = await signToken({ nowMs: edge.clock.now(), scope: `x${i}` });
    const cut = token.lastIndexOf('.');
    const plain = token.slice(cut).replaceAll('-', '+').replaceAll('_', '/');
    expect(await statusOf(`Bearer ${token}`)).toBe(200);
    expect(await statusOf(`Bearer ${token.slice(0, cut)}${plain}`)).toBe(401);
  });

  test('unused bits of the signature: of 64 last characters one is valid', async () => {
    const statuses = await Promise.all([...ALPHABET].map((last) => statusOf(`Bearer ${token.slice(0, -1)}${last}`)));
    expect(statuses.filter((status) => status === 200)).toHaveLength(1);
    expect(statuses[ALPHABET.indexOf(token.slice(-1))]).toBe(200);
  });
});

test.each([
  [43, 'AEIMQUYcgkosw048'],
  [86, 'AQgw'],
  [342, 'AQgw'],
  [344, ALPHABET],
  [345, ''],
])('a signature of %i characters ends in one of %s', (length, ends) => {
  const valid = [...ALPHABET].filter((last) => isSignedJwt(`e30.e30.${'A'.repeat(length - 1)}${last}`));
  expect(valid.sort()).toEqual([...ends].sort());
});

test('a token has up to 8 192 characters', () => {
  const longest = 'a'.repeat(MAX_TOKEN_CHARACTERS);
  expect(tokenIn(`Bearer ${longest}`)).toBe(longest);
  expect(tokenIn(`Bearer ${longest}a`)).toBeUndefined();
});

test('a header of 8 kB is refused as fast as it is read, whatever is in it', () => {
  const texts = ['a.', '.a', 'a', '..', 'a.a.', '=', ' '].map((text) =>
    text.repeat(MAX_TOKEN_CHARACTERS / text.length),
  );
  const startedAtMs = performance.now();
  for (let i = 0; i < 200; i++) for (const text of texts) isSignedJwt(`${text}!`);
  expect(performance.now() - startedAtMs).toBeLessThan(2_000);
});
