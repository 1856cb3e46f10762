// Asks a cluster that is ejected whether it is back: one row of those that are being read elsewhere at the same time. Nobody waits for it.
import type { Clock } from '../../../shared/runtime/clock.ts';
import { PROBE_TIMEOUT_MS } from '../local-cluster.ts';
import type { ReadChannels, ReadRowsRequest } from './channels.ts';
import { openRowStream } from './row-stream.ts';

/** `settle` is called once; whatever the cluster says, it has answered, unless the call failed or nothing came in time. */
export function probe(
  channels: ReadChannels,
  clock: Clock,
  request: ReadRowsRequest,
  settle: (isAnswered: boolean) => void,
): void {
  const stream = openRowStream(channels, request, PROBE_TIMEOUT_MS, {
    onRow: () => {},
    onScanned: () => {},
    onEnd: (error) => {
      cancelTimer();
      settle(error === undefined);
    },
  });
  const cancelTimer = clock.setTimeout(() => {
    stream.cancel();
    settle(false);
  }, PROBE_TIMEOUT_MS);
}
