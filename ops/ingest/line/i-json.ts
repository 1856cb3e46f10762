// I-JSON (RFC 7493): the JSON that every client reads alike. `JSON.parse` accepts more: the last of two equal names,
// halves of a surrogate pair, numbers that a double cannot hold, and any depth.

/** Nested objects and arrays. Parsers of other languages stop at 32 to 1000. */
export const MAX_DEPTH = 32;

const TOKEN = /"(?:[^"\\]|\\.)*"|[[\]{},:]|[^\s[\]{},:"]+/g;
/** Code points that no text has (RFC 7493, section 2.1). A lone surrogate is no character either. */
const NO_CHARACTER = /\p{Noncharacter_Code_Point}|\p{Surrogate}/u;

/** Throws an Error with the expected form and the received value. `text` must be accepted by `JSON.parse`. */
export function requireIJson(text: string): void {
  /** Names so far of each open object; undefined for an open array. */
  const open: (Set<string> | undefined)[] = [];
  let isName = false;
  for (const [token] of text.matchAll(TOKEN)) {
    if (token === '{' || token === '[') {
      if (open.length === MAX_DEPTH) throw new Error(`expected at most ${MAX_DEPTH} nested values, got more`);
      open.push(token === '{' ? new Set() : undefined);
      isName = token === '{';
    } else if (token === '}' || token === ']') {
      open.pop();
      isName = false;
    } else if (token === ',') {
      isName = open.at(-1) !== undefined;
    } else if (token.startsWith('"')) {
      const value = JSON.parse(token) as string;
      requireCharacters(value, token);
      if (isName) addName(open.at(-1), value);
      isName = false;
    } else if (token !== ':') {
      requireDouble(token);
    }
  }
}

function requireCharacters(value: string, token: string): void {
  if (!NO_CHARACTER.test(value)) return;
  throw new Error(`expected Unicode characters, got a lone surrogate or a noncharacter in ${excerpt(token)}`);
}

function addName(names: Set<string> | undefined, name: string): void {
  if (names?.has(name))
    throw new Error(`expected each name once in an object, got ${excerpt(JSON.stringify(name))} twice`);
  names?.add(name);
}

/** Literals pass. A whole number that no double has would be another one in most clients (RFC 7493, section 2.2). */
function requireDouble(token: string): void {
  const value = Number(token);
  if (Number.isNaN(value)) return;
  if (!Number.isFinite(value)) throw new Error(`expected a number that a double holds, got ${excerpt(token)}`);
  const isWhole = /^-?\d+$/.test(token);
  const isSame = !isWhole || Number.isSafeInteger(value) || String(value) === token || BigInt(value) === BigInt(token);
  if (!isSame) throw new Error(`expected a number that a double holds, or a string, got ${excerpt(token)}`);
}

const EXCERPT_CHARS = 40;
const excerpt = (text: string): string => (text.length <= EXCERPT_CHARS ? text : `${text.slice(0, EXCERPT_CHARS)}...`);
