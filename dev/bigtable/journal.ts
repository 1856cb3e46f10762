// A file of records, each written before its caller goes on. It survives the end of the process, also by SIGKILL, and
// not the end of the machine. Format: the length of a record as 4 bytes, big-endian, then the record in Node's
// serialization.
import { closeSync, ftruncateSync, readSync, writeSync } from 'node:fs';
import { deserialize, serialize } from 'node:v8';
import { openPrivate } from '../../ops/cli/state-file.ts';

export interface Journal<R> {
  /** Throws the file system's error; the record is then not written. */
  append(record: R): void;
  close(): void;
}

const LENGTH_BYTES = 4;

/**
 * Calls `replay` with every whole record of the file, in order, and appends after the last one. A record that the end
 * of a process has cut is removed. A missing file is created. Throws the file system's error, and an Error for a file
 * that is no journal.
 */
export function openJournal<R>(path: string, replay: (record: R) => void): Journal<R> {
  const file = openPrivate(path, 'a+');
  let end = 0;
  for (let record = readAt(file, end); record !== undefined; record = readAt(file, end)) {
    replay(parse<R>(path, record));
    end += LENGTH_BYTES + record.length;
  }
  ftruncateSync(file, end);
  return {
    append: (record) => {
      const body = serialize(record);
      const length = Buffer.alloc(LENGTH_BYTES);
      length.writeUInt32BE(body.length);
      const bytes = Buffer.concat([length, body]);
      try {
        for (let at = 0; at < bytes.length; ) at += writeSync(file, bytes, at);
        end += bytes.length;
      } catch (error) {
        // A part of the record would hide all later ones.
        ftruncateSync(file, end);
        throw error;
      }
    },
    close: () => closeSync(file),
  };
}

/** The record that begins at `position`; undefined if it is not whole. */
function readAt(file: number, position: number): Buffer | undefined {
  const length = readExactly(file, LENGTH_BYTES, position)?.readUInt32BE();
  return length === undefined ? undefined : readExactly(file, length, position + LENGTH_BYTES);
}

function readExactly(file: number, length: number, position: number): Buffer | undefined {
  const bytes = Buffer.allocUnsafe(length);
  let read = 0;
  while (read < length) {
    const count = readSync(file, bytes, read, length - read, position + read);
    if (count === 0) return undefined;
    read += count;
  }
  return bytes;
}

function parse<R>(path: string, record: Buffer): R {
  try {
    return deserialize(record) as R;
  } catch (error) {
    throw new Error(`expected ${path} to be a journal of the embedded Bigtable: ${(error as Error).message}`, {
      cause: error,
    });
  }
}
