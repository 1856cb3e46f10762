// The strength of a secret, as far as its text shows it. Patterns are weak, and so are the secrets that this repository
// itself contains.

const MIN_DIFFERENT_CHARACTERS = 8;

/** Each secret in tests, benchmarks, documents and examples contains one of these texts. */
const PUBLISHED = ['for-tests-only', 'for-benches-only', 'for-examples-only'];

/** The weakness of `secret` in words, without any part of it. Undefined for one that may be random. */
export function findWeakness(secret: string): string | undefined {
  const lower = secret.toLowerCase();
  if (PUBLISHED.some((each) => lower.includes(each))) return 'a secret of the Earshot repository';
  const different = new Set(secret).size;
  if (different < MIN_DIFFERENT_CHARACTERS)
    return `one of ${different} different characters, fewer than ${MIN_DIFFERENT_CHARACTERS}`;
  if (isRepeated(secret)) return 'one that repeats a part of itself';
  return isSequence(secret) ? 'a sequence of characters' : undefined;
}

/** Whether it consists of one part again and again, also if the last one is cut. */
function isRepeated(secret: string): boolean {
  for (let period = 1; period <= secret.length / 2; period++) {
    if (secret.slice(period) === secret.slice(0, -period)) return true;
  }
  return false;
}

/** Whether most characters follow the one before, up or down: `abcdefgh...`, `0123456789...`. */
function isSequence(secret: string): boolean {
  const codes = [...secret].map((character) => character.codePointAt(0) ?? 0);
  const steps = codes.slice(1).filter((code, i) => Math.abs(code - (codes[i] ?? 0)) <= 1);
  return steps.length > secret.length / 2;
}
