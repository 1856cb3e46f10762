// A received value in an error message: short, on one line, and safe for any JSON value. Objects and lists are only
// named, because deep nesting or an own `toString` must not break the message.

const MAX_CHARACTERS = 64;

export function describeValue(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value.slice(0, MAX_CHARACTERS));
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'object' && value !== null) return 'an object';
  return value === undefined ? 'nothing' : String(value);
}
