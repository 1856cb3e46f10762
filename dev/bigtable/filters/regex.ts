// Bigtable's regexes: RE2 syntax over bytes, anchored at both ends. Bytes are latin1 text here, so a JavaScript
// character is a byte. A construct with another meaning in JavaScript is translated or rejected.
import { invalidArgument } from '../wire/status.ts';

export type TextMatcher = (text: string) => boolean;

/** `field` names the filter in the error for a pattern that RE2 rejects. */
export function compileRegex(pattern: string, field: string): TextMatcher {
  const literal = literalOf(pattern);
  if (literal !== undefined) return (text) => text === literal;
  try {
    const { source, flags } = translate(pattern);
    const regex = new RegExp(`^(?:${source})$`, flags);
    return (text) => regex.test(text);
  } catch (error) {
    throw invalidArgument(`Error in field '${field}' : ${error instanceof Error ? error.message : String(error)}`);
  }
}

/** The only text that the pattern matches, if it has no operators. Escaped punctuation is text. */
export function literalOf(pattern: string): string | undefined {
  let literal = '';
  for (let at = 0; at < pattern.length; at++) {
    const char = pattern.charAt(at);
    if (char === '\\') {
      const next = pattern.charAt(++at);
      if (next === '' || /[A-Za-z0-9]/.test(next)) return undefined;
      literal += next;
    } else if ('.*+?()[]{}|^$'.includes(char)) return undefined;
    else literal += char;
  }
  return literal;
}

/** RE2 escapes with another spelling in JavaScript. `\C` is any byte, a newline too. */
const ESCAPES: Record<string, string> = { A: '^', z: '$', C: '[\\s\\S]', a: '\\x07' };
const SHARED_ESCAPES = /[dDwWsSbBfnrtvx]/;

function translate(pattern: string): { source: string; flags: string } {
  const leading = /^\(\?([is]+)\)/.exec(pattern);
  const dotAll = leading?.[1]?.includes('s') ?? false;
  let source = '';
  let inClass = false;
  for (let at = leading?.[0].length ?? 0; at < pattern.length; at++) {
    const char = pattern.charAt(at);
    if (char === '\\') {
      const next = pattern.charAt(++at);
      if (next === 'Q') {
        const end = pattern.indexOf('\\E', at);
        const quoted = pattern.slice(at + 1, end < 0 ? undefined : end);
        source += quoted.replace(/[^A-Za-z0-9]/g, escapeByte);
        at = end < 0 ? pattern.length : end + 1;
      } else source += translateEscape(next);
    } else if (inClass) {
      if (char === '[' && pattern.charAt(at + 1) === ':')
        throw new Error('POSIX character classes are not implemented');
      inClass = char !== ']';
      source += char === '[' ? '\\[' : char;
    } else if (char === '[') {
      inClass = true;
      source += char;
    } else if (char === '.') source += dotAll ? '[\\s\\S]' : '[^\\n]';
    else if (char === '(' && pattern.charAt(at + 1) === '?') {
      const group = /^\(\?(:|P?<[A-Za-z_]\w*>)/.exec(pattern.slice(at));
      if (group === null) throw new Error(`invalid or unimplemented group at '${pattern.slice(at, at + 4)}'`);
      source += '(?:';
      at += group[0].length - 1;
    } else source += char;
  }
  return { source, flags: leading?.[1]?.includes('i') ? 'i' : '' };
}

function translateEscape(next: string): string {
  if (next === '') throw new Error('trailing backslash');
  if (next in ESCAPES) return ESCAPES[next] ?? '';
  if (SHARED_ESCAPES.test(next)) return `\\${next}`;
  if (/[A-Za-z0-9]/.test(next)) throw new Error(`invalid or unimplemented escape sequence: \\${next}`);
  return escapeByte(next);
}

function escapeByte(char: string): string {
  return `\\x${char.charCodeAt(0).toString(16).padStart(2, '0')}`;
}
