// An independent parser of Cache-Status (RFC 9651). Throws for a value that is not a list of tokens.
import { parseList, Token } from 'structured-headers';

export interface Member {
  readonly name: string;
  readonly params: Readonly<Record<string, string | number | boolean>>;
}

export const parseCacheStatus = (value: string): Member[] =>
  parseList(value).map(([item, parameters]) => {
    if (!(item instanceof Token)) throw new Error(`expected a token, got ${JSON.stringify(item)}`);
    const params = [...parameters].map(([key, each]) => [key, toPlain(each)] as const);
    return { name: item.toString(), params: Object.fromEntries(params) };
  });

function toPlain(value: unknown): string | number | boolean {
  if (value instanceof Token) return value.toString();
  if (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean') return value;
  throw new Error(`expected a bare item, got ${JSON.stringify(value)}`);
}
