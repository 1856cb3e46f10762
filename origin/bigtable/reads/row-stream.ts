// One ReadRows call: its rows as they come, and how it ended. It repeats nothing; that is decided above it.

import { EarshotError } from '../../../shared/wire/errors.ts';
import { toTableError } from '../bigtable-error.ts';
import { type CellChunk, type ChunkMerger, createChunkMerger, type Row, UnfinishedRow } from '../chunk-merger.ts';
import type { ReadChannels, ReadRowsRequest, ReadRowsResponse } from './channels.ts';

export interface RowStream {
  /** Ends the call at the server too. Nothing is heard of it any more. */
  cancel(): void;
}

export interface RowStreamEvents {
  onRow(row: Row): void;
  /** Whatever was asked for up to and including this key, and has not come, is not there. */
  onScanned(rowKey: string): void;
  /** Once. Undefined: all rows that are there have come. An EarshotError of source `table` else. */
  onEnd(error: EarshotError | undefined): void;
}

export function openRowStream(
  channels: ReadChannels,
  request: ReadRowsRequest,
  timeoutMs: number,
  events: RowStreamEvents,
): RowStream {
  // Both are let go of at the end: the stream outlives the call by a while (origin/node-args.ts), and what it holds does too. The merger holds the
  // last row's key, a view of the whole message that carried it.
  let told: RowStreamEvents | undefined = events;
  let merger: ChunkMerger | undefined = createChunkMerger();
  const stream = channels.readRows(request, timeoutMs);
  if (stream === undefined) {
    queueMicrotask(() => end(new EarshotError('unavailable', 'table', 'ReadRows failed: no connection is open yet')));
    return { cancel: letGo };
  }

  function letGo(): void {
    told = undefined;
    merger = undefined;
  }

  function end(error: EarshotError | undefined): void {
    const last = told;
    letGo();
    last?.onEnd(error);
  }

  function take({ chunks, lastScannedRowKey }: ReadRowsResponse): void {
    for (const chunk of chunks) {
      const row = merger?.push(chunk as CellChunk);
      if (row !== undefined) told?.onRow(row);
      if (told === undefined) return;
    }
    if (lastScannedRowKey.length > 0) told?.onScanned(Buffer.from(lastScannedRowKey).toString('latin1'));
  }

  stream.on('data', (response: ReadRowsResponse) => {
    if (told === undefined) return;
    try {
      take(response);
    } catch (error) {
      end(brokenProtocol(error));
      stream.cancel();
    }
  });
  stream.on('end', () => {
    try {
      merger?.end();
      end(undefined);
    } catch (error) {
      end(brokenProtocol(error));
    }
  });
  // Heard of after `cancel` too: an error that nobody listens for would end the process.
  stream.on('error', (error) => end(toTableError(error, 'ReadRows')));

  return {
    cancel: () => {
      letGo();
      stream.cancel();
    },
  };
}

/** A stream that just stops inside a row was cut off on its way; one that says what it may not is not to be trusted again. */
function brokenProtocol(error: unknown): EarshotError {
  const message = `ReadRows failed: ${(error as Error).message}`;
  return new EarshotError(error instanceof UnfinishedRow ? 'unavailable' : 'internal', 'table', message, {
    cause: error,
  });
}
