// A strict reader for the part of RFC 9651 that Cache-Status uses: a list of tokens with parameters, whose strings hold
// no separator of the list. Throws for anything else.

export interface Member {
  readonly name: string;
  readonly params: Readonly<Record<string, string | number | boolean>>;
}

const TOKEN = /^[A-Za-z*][!#$%&'*+\-.^_`|~0-9A-Za-z:/]*$/;
const KEY = /^[a-z*][a-z0-9_\-.*]*$/;

export function parseCacheStatus(value: string): Member[] {
  return value.split(',').map((text) => {
    const [name = '', ...params] = text.split(';').map((part) => part.trim());
    if (!TOKEN.test(name)) throw new Error(`expected a token, got ${JSON.stringify(name)}`);
    return { name, params: Object.fromEntries(params.map(parseParameter)) };
  });
}

function parseParameter(text: string): [string, string | number | boolean] {
  const [key = '', value, ...rest] = text.split('=');
  if (!KEY.test(key) || rest.length > 0) throw new Error(`expected a parameter, got ${JSON.stringify(text)}`);
  if (value === undefined) return [key, true];
  if (/^-?\d{1,15}$/.test(value)) return [key, Number(value)];
  if (/^"[^"\\]*"$/.test(value)) return [key, value.slice(1, -1)];
  if (!TOKEN.test(value)) throw new Error(`expected a bare item, got ${JSON.stringify(value)}`);
  return [key, value];
}
