// The records of an Avro schema as lines: lists and items of any schema with their fields, and rows of Bigtable in the
// form of Google's templates.
import type { Type } from 'avsc';
import { idOfRowKey } from '../../../shared/domain/keys.ts';
import { ITEM_SEPARATOR } from '../../../shared/domain/list.ts';
import { type Line, type RecordForm, requireFields, toJson } from './line.ts';

type ToLine = (record: unknown) => Omit<Line, 'number'>;

/** Throws an Error for a schema that is neither. */
export function makeAvroRecords(name: string, type: Type, form: RecordForm): ToLine {
  const schema = type.schema() as { readonly type?: string; readonly fields?: readonly { readonly name: string }[] };
  if (schema.type !== 'record') throw new Error(`${name}: expected an Avro schema of records, got ${type.typeName}`);
  const fields = (schema.fields ?? []).map((field) => field.name);
  if (fields.length === 2 && fields.includes('key') && fields.includes('cells'))
    return (record) => rowToLine(record as BigtableRow, form);
  requireFields(name, form, fields);
  return (record) => ({ text: toJson(record) });
}

/** `com.google.cloud.teleport.bigtable.BigtableRow` of Google's template GCS_Avro_to_Cloud_Bigtable. */
interface BigtableRow {
  readonly key: Buffer;
  readonly cells: readonly {
    readonly family: string;
    readonly qualifier: Buffer;
    /** Microseconds since the epoch. */
    readonly timestamp: number | bigint;
    readonly value: Buffer;
  }[];
}

/** Whether a record of the two fields has the types of the template's schema. */
const isRow = ({ key, cells }: BigtableRow): boolean =>
  key instanceof Uint8Array &&
  Array.isArray(cells) &&
  cells.every(
    ({ qualifier, timestamp, value }) =>
      [qualifier, value].every((each) => each instanceof Uint8Array) &&
      (typeof timestamp === 'bigint' || Number.isInteger(timestamp)),
  );

/** The row as the line that the loader would have made it from. Another cell would end in another place. */
function rowToLine(row: BigtableRow, form: RecordForm): Omit<Line, 'number'> {
  if (!isRow(row))
    return { text: toJson(row), broken: 'expected a row with the types of bigtable-row.avsc, got others' };
  const { key, cells } = row;
  const rowKey = key.toString();
  const id = idOfRowKey(rowKey) ?? rowKey;
  const [cell, ...others] = cells;
  const broken = (what: string) => ({ text: toJson({ key: rowKey, cells }), broken: what });
  if (cell === undefined || others.length > 0) return broken(`expected one cell in a row, got ${cells.length}`);
  const column = `${cell.family}:${cell.qualifier.toString()}`;
  if (column !== `${form.family}:${form.qualifier}`)
    return broken(`expected the column ${form.family}:${form.qualifier}, got ${column}`);
  if (BigInt(cell.timestamp) !== BigInt(form.timestampMicros))
    return broken(
      `expected the timestamp ${form.timestampMicros}, the generation in microseconds, got ${cell.timestamp}`,
    );
  const value = cell.value.toString();
  const text =
    form.kind === 'items' ? value : `{"user":${JSON.stringify(id)},"items":[${value.replaceAll(ITEM_SEPARATOR, ',')}]}`;
  return { text, rowKey };
}
