// Avro object container files with blocks of a bounded size.
import { promisify } from 'node:util';
import { deflateRaw } from 'node:zlib';
import avsc from 'avsc';
import type { OutputFile } from './output.ts';
import type { RecordFile } from './record-file.ts';

const BLOCK_BYTES = 256 * 1024;
const MAGIC = Buffer.from('Obj\u0001', 'latin1');
const META = avsc.Type.forSchema({ type: 'map', values: 'bytes' });
const LONG = avsc.Type.forSchema('long');

/** Records of `schema`, packed by deflate. The same records make the same file. */
export async function createAvroFile(output: OutputFile, schema: object): Promise<RecordFile> {
  const type = avsc.Type.forSchema(schema as avsc.Schema);
  // A file is the same for the same records, so the marker comes from the schema.
  const sync = avsc.Type.forSchema(schema as avsc.Schema).fingerprint();
  const meta = { 'avro.schema': Buffer.from(JSON.stringify(schema)), 'avro.codec': Buffer.from('deflate') };
  await output.write(Buffer.concat([MAGIC, META.toBuffer(meta), sync]));
  let records: Buffer[] = [];
  let bytes = 0;

  async function flush(): Promise<void> {
    if (records.length === 0) return;
    const packed = await promisify<Buffer, Buffer>(deflateRaw)(Buffer.concat(records));
    await output.write(Buffer.concat([LONG.toBuffer(records.length), LONG.toBuffer(packed.length), packed, sync]));
    records = [];
    bytes = 0;
  }

  return {
    add: async (record) => {
      const encoded = type.toBuffer(record);
      records.push(encoded);
      bytes += encoded.length;
      if (bytes >= BLOCK_BYTES) await flush();
    },
    end: async () => {
      await flush();
      await output.end();
    },
    abandon: output.abandon,
  };
}
