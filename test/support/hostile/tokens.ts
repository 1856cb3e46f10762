// The tokens of the tables of hostile requests: valid ones, and one for each way to be invalid. It runs in workerd and
// in Node.
import { encodeUtf8 } from '../../../shared/runtime/bytes.ts';
import { makeKeyId } from '../../../shared/wire/origin-token.ts';
import { bytesOf, expand, type Text } from './row.ts';

/** `@600` is the number of seconds since the epoch 600 s from now, `$kid` the id of the origin's key. */
export interface TokenSpec {
  /** Members that replace those of the default header; null removes one. */
  readonly header?: Readonly<Record<string, unknown>>;
  /** Members that replace those of the default claims; null removes one. */
  readonly claims?: Readonly<Record<string, unknown>>;
  /** The text of the header or of the claims, instead of the JSON. */
  readonly headerText?: Text;
  readonly payload?: Text;
  /** Default: that of the side. */
  readonly secret?: 'listener' | 'origin' | 'unknown';
  /** Number of characters of the token, filled up by a claim. */
  readonly length?: number;
  /** A change after the signature. */
  readonly change?: 'padded' | 'unused-bits' | 'other-claims' | 'cut' | 'no-signature' | 'four-parts' | 'two-parts';
}

export interface TokenSetting {
  readonly side: 'edge' | 'origin';
  readonly secrets: Readonly<Record<'listener' | 'origin' | 'unknown', string>>;
  readonly nowMs: number;
}

const BASE64URL = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';

const DEFAULTS = {
  edge: {
    header: { alg: 'HS256' },
    claims: { sub: 'listener:1', aud: 'earshot', iat: '@0', exp: '@600' },
    secret: 'listener',
  },
  origin: {
    header: { alg: 'HS256', kid: '$kid' },
    claims: { sub: 'edge', aud: 'earshot-origin', region: 'asia', iat: '@0', exp: '@300' },
    secret: 'origin',
  },
} as const;

export async function makeToken(spec: TokenSpec, setting: TokenSetting): Promise<string> {
  const { side, secrets, nowMs } = setting;
  const defaults = DEFAULTS[side];
  const secret = secrets[spec.secret ?? defaults.secret];
  const kid = await makeKeyId(secrets.origin);
  const fill = (value: unknown): unknown => {
    if (value === '$kid') return kid;
    return typeof value === 'string' && /^@-?\d/.test(value)
      ? Math.floor(nowMs / 1000) + Number(value.slice(1))
      : value;
  };
  const json = (members: Readonly<Record<string, unknown>>): string =>
    JSON.stringify(
      Object.fromEntries(
        Object.entries(members).flatMap(([name, value]) => (value === null ? [] : [[name, fill(value)]])),
      ),
    );
  const header = spec.headerText === undefined ? json({ ...defaults.header, ...spec.header }) : expand(spec.headerText);
  const claims = { ...defaults.claims, ...spec.claims };
  const seconds = (text: string): string => text.replaceAll(/@-?\d+/g, (moment) => String(fill(moment)));
  if (spec.length !== undefined) return fillUp(header, claims, spec.length);
  return change(
    await sign(header, spec.payload === undefined ? json(claims) : seconds(expand(spec.payload)), secret),
    spec,
  );

  /** Not every length of the claims gives every length of a token: the header has up to three characters more. */
  async function fillUp(head: string, own: object, length: number): Promise<string> {
    for (let more = 0; more < 4; more++) {
      const wide = head.replace('{', `{${' '.repeat(more)}`);
      const empty = await sign(wide, json({ ...own, groups: '' }), secret);
      const characters = Math.floor(((length - empty.length) * 3) / 4);
      for (const count of [characters - 1, characters, characters + 1]) {
        const token = await sign(wide, json({ ...own, groups: 'g'.repeat(Math.max(0, count)) }), secret);
        if (token.length === length) return token;
      }
    }
    throw new Error(`expected a token of ${length} characters, got none`);
  }
}

async function sign(header: string, payload: string, secret: string): Promise<string> {
  const signed = `${toBase64url(header)}.${toBase64url(payload)}`;
  const algorithm = { name: 'HMAC', hash: 'SHA-256' };
  const key = await crypto.subtle.importKey('raw', encodeUtf8(secret), algorithm, false, ['sign']);
  const signature = new Uint8Array(await crypto.subtle.sign('HMAC', key, encodeUtf8(signed)));
  return `${signed}.${toBase64url(String.fromCharCode(...signature))}`;
}

function change(token: string, { change: how }: TokenSpec): string {
  const [header = '', payload = '', signature = ''] = token.split('.');
  switch (how) {
    case 'padded':
      return `${token}=`;
    case 'unused-bits':
      return `${token.slice(0, -1)}${BASE64URL[BASE64URL.indexOf(token.slice(-1)) + 1]}`;
    case 'other-claims': {
      const claims = atob(payload.replaceAll('-', '+').replaceAll('_', '/')).replace('listener:1', 'listener:2');
      return `${header}.${toBase64url(claims)}.${signature}`;
    }
    case 'cut':
      return token.slice(0, -1);
    case 'no-signature':
      return `${header}.${payload}.`;
    case 'four-parts':
      return `${token}.${signature}`;
    case 'two-parts':
      return `${header}.${payload}`;
    default:
      return token;
  }
}

/** `text` has one byte per character. */
const toBase64url = (text: string): string =>
  btoa(String.fromCharCode(...bytesOf(text)))
    .replaceAll('+', '-')
    .replaceAll('/', '_')
    .replace(/=+$/, '');
