// Tokens with a correct signature whose header or claims are odd: a table with one runner. `@600` is 600 s from now,
// `@*1000` is the present in milliseconds. A header replaces members of {"alg":"HS256"}; null removes one.
import { base64url } from 'jose';
import { expect, test } from 'vitest';
import { encodeUtf8 } from '../../../shared/runtime/bytes.ts';
import { createHarness } from '../support/harness.ts';
import { keyOf, makeList } from '../support/lists.ts';
import { TOKEN_SECRET } from '../support/tokens.ts';
import table from './token-cases.json';

interface TokenCase {
  readonly name: string;
  readonly header?: Readonly<Record<string, unknown>>;
  readonly claims?: Readonly<Record<string, unknown>>;
  /** The text of the claims instead of `claims`. */
  readonly payload?: string;
  readonly status?: number;
  /** The reason in the log, if the token is refused. */
  readonly reason?: string;
}

async function sign(header: string, payload: string): Promise<string> {
  const signed = `${base64url.encode(encodeUtf8(header))}.${base64url.encode(encodeUtf8(payload))}`;
  const algorithm = { name: 'HMAC', hash: 'SHA-256' };
  const key = await crypto.subtle.importKey('raw', encodeUtf8(TOKEN_SECRET), algorithm, false, ['sign']);
  return `${signed}.${base64url.encode(new Uint8Array(await crypto.subtle.sign('HMAC', key, encodeUtf8(signed))))}`;
}

test('the table has more than 60 cases, and each expects one thing', () => {
  expect(table.length).toBeGreaterThan(60);
  for (const { name, status, reason } of table as TokenCase[])
    expect([name, status === 200 ? 1 : typeof reason]).toContain(status === 200 ? 1 : 'string');
});

test.each(table as TokenCase[])('$name', async ({ header = {}, claims = {}, payload, status = 401, reason }) => {
  const edge = createHarness({ env: { TOKEN_MAX_LIFETIME_SECONDS: '86400' } });
  edge.origins.put(keyOf('ann'), makeList('a'));
  const nowSeconds = edge.clock.now() / 1000;
  const momentOf = (text: string): number =>
    text === '@*1000' ? nowSeconds * 1000 : nowSeconds + Number(text.slice(1));
  const fill = (value: unknown): unknown =>
    typeof value === 'string' && value.startsWith('@') ? momentOf(value) : value;
  const all = { sub: 'ann', aud: 'earshot', exp: '@600', ...claims };
  const text =
    payload?.replaceAll(/@-?\d+/g, (moment) => String(momentOf(moment))) ??
    JSON.stringify(Object.fromEntries(Object.entries(all).map(([name, value]) => [name, fill(value)])));
  const head = Object.entries({ alg: 'HS256', ...header }).filter(([name, value]) => name !== 'alg' || value !== null);
  const token = await sign(JSON.stringify(Object.fromEntries(head)), text);
  const response = await edge.get('/v1/me/recommendations/home', { authorization: `Bearer ${token}` });
  const reasons = edge.logs.map(({ fields }) => fields.reason);
  expect([response.status, reasons]).toEqual([status, reason === undefined ? [] : [reason]]);
  if (status === 200) expect(await response.json()).toMatchObject({ user: 'ann', source: 'personal' });
  else expect(edge.origins.calls).toEqual([]);
  expect(JSON.stringify(edge.logs)).not.toContain('eyJ');
});
