// The stored form of a row: one string of its bytes. A million rows of some nine objects each would keep the garbage
// collector busy for longer than reads can wait. Clusters with the same row share its string.
//
// `family,qualifierLength;timestampMicros,valueLength;...|family,...` and a line feed, followed by each column's
// qualifier and values in this order.
import type { Cell, Column, Row } from './row.ts';

/** Compared by value. */
export type PackedRow = string & { readonly packed: unique symbol };

const scratch = Buffer.alloc(64 * 1024);

export function packRow(row: Row): PackedRow {
  const header = row.map(packColumn).join('|');
  let at = header.length + 1;
  for (const { qualifier, cells } of row) {
    at += qualifier.length;
    for (const { value } of cells) at += value.length;
  }
  const into = at <= scratch.length ? scratch : Buffer.allocUnsafe(at);
  at = into.write(`${header}\n`, 'latin1');
  for (const { qualifier, cells } of row) {
    at += into.write(qualifier, at, 'latin1');
    for (const { value } of cells) at += value.copy(into, at);
  }
  return into.toString('latin1', 0, at) as PackedRow;
}

const packColumn = ({ family, qualifier, cells }: Column): string =>
  `${family},${qualifier.length}${cells.map(({ timestampMicros, value }) => `;${timestampMicros},${value.length}`).join('')}`;

/** Values are views of a buffer of their own. */
export function unpackRow(packed: PackedRow): Row {
  const headerEnd = packed.indexOf('\n');
  const bytes = Buffer.from(packed, 'latin1');
  let at = headerEnd + 1;
  return packed
    .slice(0, headerEnd)
    .split('|')
    .map((text): Column => {
      const [name = '', ...cellTexts] = text.split(';');
      const [family = '', qualifierLength] = name.split(',');
      const qualifier = packed.slice(at, at + Number(qualifierLength));
      at += qualifier.length;
      const cells = cellTexts.map((cellText): Cell => {
        const comma = cellText.indexOf(',');
        const from = at;
        at += Number(cellText.slice(comma + 1));
        return { timestampMicros: Number(cellText.slice(0, comma)), value: bytes.subarray(from, at) };
      });
      return { family, qualifier, cells };
    });
}
