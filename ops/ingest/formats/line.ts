// One record of an input as the line of JSON that it means: every format has the same checks, reasons and rejects.

export interface Line {
  /** 1 for the first: a line of text, or a record. */
  readonly number: number;
  readonly text: string;
  /** The reason why the line is unusable. `text` is only an excerpt then. */
  readonly broken?: string;
  /** The row key that the record names itself. */
  readonly rowKey?: string;
}

/** The column that a load fills, and the form of its records. */
export interface RecordForm {
  readonly kind: 'lists' | 'items';
  readonly family: string;
  readonly qualifier: string;
  /** Microseconds since the epoch. */
  readonly timestampMicros: number;
}

/** JSON of a value that a binary format has decoded. Numbers have ECMAScript's shortest spelling. */
export function toJson(value: unknown): string {
  if (typeof value === 'string') return textToJson(value);
  if (typeof value === 'number') return Number.isFinite(value) ? String(value) : `"${value}"`;
  if (typeof value === 'bigint') return String(value);
  if (Array.isArray(value)) return `[${value.map(toJson).join(',')}]`;
  if (value instanceof Date) return `"${value.toISOString()}"`;
  if (value instanceof Uint8Array) return JSON.stringify(Buffer.from(value).toString());
  if (typeof value !== 'object' || value === null) return JSON.stringify(value) ?? 'null';
  return objectToJson(value as Readonly<Record<string, unknown>>);
}

/** Without members that are null, which stand for absent ones. */
function objectToJson(value: Readonly<Record<string, unknown>>): string {
  let text = '{';
  for (const name of Object.keys(value)) {
    const member = value[name];
    if (member === undefined || member === null) continue;
    text += `${text.length === 1 ? '' : ','}${textToJson(name)}:${toJson(member)}`;
  }
  return `${text}}`;
}

/** The characters of ids need no escape. */
const textToJson = (text: string): string => (/^[\w.:@|+~-]*$/.test(text) ? `"${text}"` : JSON.stringify(text));

/** Throws an Error unless a schema has the fields of the form. */
export function requireFields(name: string, { kind }: RecordForm, fields: readonly string[]): void {
  const expected = kind === 'lists' ? ['user', 'items'] : ['id'];
  const isRight = expected.every((field) => fields.includes(field)) && (kind === 'items' || fields.length === 2);
  if (isRight) return;
  const what = kind === 'lists' ? 'the fields user and items' : 'a field id';
  throw new Error(`${name}: expected a schema with ${what}, got ${fields.join(', ') || 'none'}`);
}
