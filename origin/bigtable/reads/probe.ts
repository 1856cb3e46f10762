// Probes an ejected cluster with one row of a read that goes elsewhere. No caller waits for it.
import type { Clock } from '../../../shared/runtime/clock.ts';
import { PROBE_TIMEOUT_MS } from '../local-cluster.ts';
import type { ReadRowsRequest } from './channel.ts';
import type { ReadChannels } from './channels.ts';
import { openRowStream } from './row-stream.ts';

/** Calls `endProbe` once. Any completed call is an answer. */
export function probe(
  channels: ReadChannels,
  clock: Clock,
  request: ReadRowsRequest,
  endProbe: (isAnswered: boolean) => void,
): void {
  const stream = openRowStream(channels, request, PROBE_TIMEOUT_MS, {
    onRow: () => {},
    onScanned: () => {},
    onEnd: (error) => {
      cancelTimer();
      endProbe(error === undefined);
    },
  });
  const cancelTimer = clock.setTimeout(() => {
    stream.cancel();
    endProbe(false);
  }, PROBE_TIMEOUT_MS);
}
