// What came, in the words of a refusal: short, on one line, and safe for any value that JSON can hold. Objects and lists are only named: one
// that is nested deeply, or has a `toString` of its own, must not break the refusal.

const MAX_CHARACTERS = 64;

export function describeValue(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value.slice(0, MAX_CHARACTERS));
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'object' && value !== null) return 'an object';
  return value === undefined ? 'nothing' : String(value);
}
