// `node bench/ingest/parse-road.ts FILE`: reads and parses the lists of a file, as a load does, and writes nothing.
import { readLines } from '../../ops/ingest/formats/open-lines.ts';
import { findInputs } from '../../ops/ingest/inputs/find-inputs.ts';
import { parseListLine } from '../../ops/ingest/line/list-line.ts';

const form = { kind: 'lists', family: 'l', qualifier: 'home/control', timestampMicros: 0 } as const;
let bytes = 0;
for (const source of await findInputs(process.argv.slice(2)))
  for await (const lines of readLines(source, form, () => undefined))
    for (const { text } of lines) bytes += parseListLine(text).value.length;
if (bytes === 0) throw new Error('expected lists, got none');
