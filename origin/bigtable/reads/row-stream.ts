// One ReadRows call: its rows and its end. It retries nothing.
import { EarshotError } from '../../../shared/wire/errors.ts';
import { toTableError } from '../bigtable-error.ts';
import { type CellChunk, type ChunkMerger, createChunkMerger, type Row, UnfinishedRow } from '../chunk-merger.ts';
import type { ReadRowsRequest, ReadRowsResponse } from './channel.ts';
import type { ReadChannels } from './channels.ts';

export interface RowStream {
  /** Cancels the call, at the server too. No event follows. */
  cancel(): void;
}

export interface RowStreamEvents {
  onRow(row: Row): void;
  /** Requested keys up to and including this one that have not come do not exist. */
  onScanned(rowKey: string): void;
  /** Once. Undefined: all existing rows have come. Otherwise an EarshotError of source `table`. */
  onEnd(error: EarshotError | undefined): void;
}

export function openRowStream(
  channels: ReadChannels,
  request: ReadRowsRequest,
  timeoutMs: number,
  events: RowStreamEvents,
): RowStream {
  // Both are released at the end: the stream outlives the call, and the merger references a message
  // (docs/decisions/0019).
  let listener: RowStreamEvents | undefined = events;
  let merger: ChunkMerger | undefined = createChunkMerger();
  const stream = channels.readRows(request, timeoutMs);
  if (stream === undefined) {
    queueMicrotask(() => endStream(notConnected()));
    return { cancel: release };
  }

  function release(): void {
    listener = undefined;
    merger = undefined;
  }

  function endStream(error: EarshotError | undefined): void {
    const last = listener;
    release();
    last?.onEnd(error);
  }

  function applyResponse({ chunks, lastScannedRowKey }: ReadRowsResponse): void {
    for (const chunk of chunks) {
      const row = merger?.push(chunk as CellChunk);
      if (row !== undefined) listener?.onRow(row);
      if (listener === undefined) return;
    }
    if (lastScannedRowKey.length > 0) listener?.onScanned(Buffer.from(lastScannedRowKey).toString('latin1'));
  }

  stream.on('data', (response: ReadRowsResponse) => {
    if (listener === undefined) return;
    try {
      applyResponse(response);
    } catch (error) {
      endStream(toProtocolError(error));
      stream.cancel();
    }
  });
  stream.on('end', () => {
    try {
      merger?.end();
      endStream(undefined);
    } catch (error) {
      endStream(toProtocolError(error));
    }
  });
  // Stays after `cancel`: an error event without a listener would end the process.
  stream.on('error', (error) => endStream(toTableError(error, 'ReadRows')));

  return {
    cancel: () => {
      release();
      stream.cancel();
    },
  };
}

const notConnected = (): EarshotError =>
  new EarshotError('unavailable', 'table', 'ReadRows failed: no connection is open yet');

/** A stream that ends inside a row was cut off, and may be retried. Any other breach of the protocol is final. */
function toProtocolError(error: unknown): EarshotError {
  const message = `ReadRows failed: ${(error as Error).message}`;
  const code = error instanceof UnfinishedRow ? 'unavailable' : 'internal';
  return new EarshotError(code, 'table', message, { cause: error });
}
