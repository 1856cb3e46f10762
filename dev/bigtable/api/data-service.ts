// google.bigtable.v2.Bigtable: the calls that read and write rows.
import type { UntypedServiceImplementation } from '@grpc/grpc-js';
import type { Clock } from '../../../shared/runtime/clock.ts';
import { checkTransactions } from '../admin/routing.ts';
import type { CancellableCall, Faults } from '../faults.ts';
import { compileFilter } from '../filters/filters.ts';
import { checkMutations, checkRowKey } from '../mutations/mutation-checks.ts';
import { resolveMutations } from '../mutations/mutations.ts';
import { readableCells } from '../rows/gc.ts';
import { toText } from '../rows/row.ts';
import { rowsOf, type Table } from '../rows/table.ts';
import { sampleRowKeys } from '../sample-row-keys.ts';
import { createLowPriority, createTurns, type Turns } from '../turns.ts';
import { CANCELLED, streaming, unary } from '../wire/calls.ts';
import type * as m from '../wire/messages.ts';
import type { BulkRequest } from '../wire/mutate-rows-request.ts';
import { checkInstanceName, splitName } from '../wire/names.ts';
import { invalidArgument, unimplemented } from '../wire/status.ts';
import type { Gate, Site } from './gate.ts';
import { mutateRows } from './mutate-rows.ts';
import { readRows } from './read-rows.ts';

export function createDataService(gate: Gate, faults: Faults, clock: Clock): UntypedServiceImplementation {
  const lowPriority = createLowPriority();

  /** Runs `work` in the cluster to which a request for a table is routed. */
  function onTable<T>(
    method: string,
    request: { tableName: string; appProfileId: string },
    call: CancellableCall,
    work: (site: Site, table: Table) => Promise<T> | T,
  ): Promise<T | typeof CANCELLED> {
    const { tableName, appProfileId } = request;
    const { instance: instanceName } = splitName(tableName, 'tables');
    return gate({ method, instanceName, appProfileId, call }, (site) => {
      if (!isLow(site)) lowPriority.recordHighPriorityCall();
      return work(site, site.instance.table(tableName));
    });
  }

  return {
    readRows: streaming<m.ReadRowsRequest, m.ReadRowsResponse>((request, call) => {
      if (request.authorizedViewName !== '') throw unimplemented('authorized views are not implemented');
      if (request.materializedViewName !== '') throw unimplemented('materialized views are not implemented');
      return onTable('ReadRows', request, call, async ({ cluster, counters }, table) => {
        if (!(await faults.waitForCapacity(cluster, keysOf(request), call))) return CANCELLED;
        return readRows(table, cluster, clock.now(), counters, call, faults.cutError(cluster));
      });
    }),

    sampleRowKeys: streaming<m.SampleRowKeysRequest, m.SampleRowKeysResponse>((request, call) =>
      onTable('SampleRowKeys', request, call, ({ cluster }, table) => {
        for (const sample of sampleRowKeys(table, cluster)) call.write(sample);
      }),
    ),

    mutateRow: unary<m.MutateRowRequest, object>((request, call) =>
      onTable('MutateRow', request, call, ({ instance, cluster, counters }, table) => {
        checkMutations(request.rowKey, request.mutations);
        const mutations = resolveMutations(table, request.mutations, clock.now());
        instance.commit(cluster, table, toText(request.rowKey), mutations);
        counters.rowsWritten++;
        return {};
      }),
    ),

    mutateRows: streaming<BulkRequest, m.MutateRowsResponse>((request, call) =>
      onTable('MutateRows', request, call, (site, table) => {
        const { flowControlFactor: factor } = faults.get(site.cluster);
        const isTold = factor !== undefined && announcesFlowControl(call.metadata.get('bigtable-features')[0]);
        const flowControl = isTold ? { rateLimitInfo: { period: { seconds: FLOW_CONTROL_SECONDS }, factor } } : {};
        const write = (turns: Turns) =>
          mutateRows(request, site, table, {
            nowMs: clock.now(),
            turns,
            entryError: () => faults.entryError(site.cluster),
            answer: (response) => call.write({ ...response, ...flowControl }),
          });
        return isLow(site) ? lowPriority.run(write) : write(createTurns());
      }),
    ),

    checkAndMutateRow: unary<m.CheckAndMutateRowRequest, { predicateMatched: boolean }>((request, call) =>
      onTable('CheckAndMutateRow', request, call, ({ instance, profile, cluster, counters }, table) => {
        checkTransactions(profile);
        const { rowKey, predicateFilter, trueMutations, falseMutations } = request;
        checkRowKey(rowKey);
        if (trueMutations.length + falseMutations.length === 0) throw invalidArgument('No mutations provided');
        const [whenTrue, whenFalse] = [trueMutations, falseMutations].map((mutations) => {
          if (mutations.length > 0) checkMutations(rowKey, mutations);
          return resolveMutations(table, mutations, clock.now());
        });
        const key = toText(rowKey);
        const cells = readableCells(rowsOf(table, cluster).get(key) ?? [], table.families, clock.now() * 1000);
        const predicateMatched = compileFilter(predicateFilter, table)(key, cells).length > 0;
        const chosen = (predicateMatched ? whenTrue : whenFalse) ?? [];
        if (chosen.length > 0) {
          instance.commit(cluster, table, key, chosen);
          counters.rowsWritten++;
        }
        return { predicateMatched };
      }),
    ),

    pingAndWarm: unary<m.PingAndWarmRequest, object>(({ name, appProfileId }, call) =>
      gate({ method: 'PingAndWarm', instanceName: checkInstanceName(name), appProfileId, call }, () => ({})),
    ),
  };
}

/**
 * Number of keys that a read counts for. A range counts as one key, and so does a read of all rows: its size is unknown
 * before the read.
 */
const keysOf = ({ rows }: m.ReadRowsRequest): number =>
  Math.max(1, (rows?.rowKeys.length ?? 0) + (rows?.rowRanges.length ?? 0));

const isLow = ({ profile }: Site): boolean => profile.priority === 'PRIORITY_LOW';

const FLOW_CONTROL_SECONDS = 10;
/** Field 5 of `google.bigtable.v2.FeatureFlags`, a bool: `mutate_rows_rate_limit2`. */
const RATE_LIMIT_TAG = 5 << 3;

/** All fields of the message are bools: a tag of one byte, and a value of one byte. */
function announcesFlowControl(features: string | Buffer | undefined): boolean {
  const bytes = Buffer.from(String(features ?? ''), 'base64url');
  for (let i = 0; i < bytes.length; i += 2) if (bytes[i] === RATE_LIMIT_TAG) return bytes[i + 1] === 1;
  return false;
}
