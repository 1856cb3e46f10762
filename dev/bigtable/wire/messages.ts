// The parts of Bigtable's proto messages that the server uses, in proto-loader's form. An unset message is null, an
// unset scalar has its default, and a `oneof` names the member that is set.

export interface Duration {
  seconds: number;
  nanos: number;
}

export interface TimestampRange {
  startTimestampMicros: number;
  endTimestampMicros: number;
}

export interface RowRange {
  startKey?: 'startKeyClosed' | 'startKeyOpen';
  startKeyClosed?: Buffer;
  startKeyOpen?: Buffer;
  endKey?: 'endKeyOpen' | 'endKeyClosed';
  endKeyOpen?: Buffer;
  endKeyClosed?: Buffer;
}

export interface RowSet {
  rowKeys: Buffer[];
  rowRanges: RowRange[];
}

export interface RowFilter {
  filter?: string;
  chain?: { filters: RowFilter[] };
  interleave?: { filters: RowFilter[] };
  passAllFilter?: boolean;
  blockAllFilter?: boolean;
  rowKeyRegexFilter?: Buffer;
  familyNameRegexFilter?: string;
  columnQualifierRegexFilter?: Buffer;
  columnRangeFilter?: {
    familyName: string;
    startQualifierClosed?: Buffer;
    startQualifierOpen?: Buffer;
    endQualifierClosed?: Buffer;
    endQualifierOpen?: Buffer;
  };
  timestampRangeFilter?: TimestampRange;
  valueRegexFilter?: Buffer;
  cellsPerRowLimitFilter?: number;
  cellsPerColumnLimitFilter?: number;
  stripValueTransformer?: boolean;
}

export interface Mutation {
  mutation?: string;
  setCell?: { familyName: string; columnQualifier: Buffer; timestampMicros: number; value: Buffer };
  deleteFromColumn?: { familyName: string; columnQualifier: Buffer; timeRange: TimestampRange | null };
  deleteFromFamily?: { familyName: string };
  deleteFromRow?: object;
}

export interface ReadRowsRequest {
  tableName: string;
  authorizedViewName: string;
  materializedViewName: string;
  appProfileId: string;
  rows: RowSet | null;
  filter: RowFilter | null;
  rowsLimit: number;
  reversed: boolean;
}

export interface CellChunk {
  rowKey?: Buffer;
  familyName?: { value: string };
  qualifier?: { value: Buffer };
  timestampMicros?: number;
  value?: Buffer;
  valueSize?: number;
  commitRow?: boolean;
}

export interface ReadRowsResponse {
  chunks: CellChunk[];
}

export interface SampleRowKeysRequest {
  tableName: string;
  appProfileId: string;
}

export interface SampleRowKeysResponse {
  rowKey: Buffer;
  offsetBytes: number;
}

export interface MutateRowRequest {
  tableName: string;
  appProfileId: string;
  rowKey: Buffer;
  mutations: Mutation[];
}

export interface MutateRowsRequest {
  tableName: string;
  appProfileId: string;
  entries: { rowKey: Buffer; mutations: Mutation[] }[];
}

export interface MutateRowsResponse {
  entries: { index: number; status: { code: number; message: string } }[];
  rateLimitInfo?: { period: { seconds: number }; factor: number };
}

export interface CheckAndMutateRowRequest {
  tableName: string;
  appProfileId: string;
  rowKey: Buffer;
  predicateFilter: RowFilter | null;
  trueMutations: Mutation[];
  falseMutations: Mutation[];
}

export interface PingAndWarmRequest {
  name: string;
  appProfileId: string;
}

export interface GcRule {
  rule?: 'maxNumVersions' | 'maxAge' | 'intersection' | 'union';
  maxNumVersions?: number;
  maxAge?: Duration;
  intersection?: { rules: GcRule[] };
  union?: { rules: GcRule[] };
}

export interface ColumnFamily {
  gcRule: GcRule | null;
  valueType?: object | null;
}

export interface TableMessage {
  name: string;
  columnFamilies?: Record<string, { gcRule: GcRule | null }>;
  granularity?: 'MILLIS';
  clusterStates?: Record<string, { replicationState: 'READY' }>;
  restoreInfo?: { sourceType: 'BACKUP'; backupInfo: BackupInfo };
}

export interface Timestamp {
  seconds: number;
  nanos: number;
}

export interface BackupInfo {
  readonly backup: string;
  readonly sourceTable: string;
  readonly startTime: Timestamp;
  readonly endTime: Timestamp;
}

export interface BackupMessage {
  name: string;
  sourceTable: string;
  startTime: Timestamp;
  endTime: Timestamp;
  expireTime: Timestamp;
  state: 'READY';
}

export interface CreateBackupRequest {
  parent: string;
  backupId: string;
  backup: { sourceTable: string; expireTime: Timestamp | null } | null;
}

export interface RestoreTableRequest {
  parent: string;
  tableId: string;
  backup?: string;
}

export interface CreateTableRequest {
  parent: string;
  tableId: string;
  table: { columnFamilies: Record<string, ColumnFamily> } | null;
  initialSplits: { key: Buffer }[];
}

export interface ModifyColumnFamiliesRequest {
  name: string;
  modifications: {
    id: string;
    mod?: 'create' | 'update' | 'drop';
    create?: ColumnFamily;
    update?: ColumnFamily;
    drop?: boolean;
  }[];
}

export interface DropRowRangeRequest {
  name: string;
  target?: 'rowKeyPrefix' | 'deleteAllDataFromTable';
  rowKeyPrefix?: Buffer;
  deleteAllDataFromTable?: boolean;
}

export interface AppProfileMessage {
  name: string;
  etag: string;
  description: string;
  routingPolicy?: 'multiClusterRoutingUseAny' | 'singleClusterRouting';
  multiClusterRoutingUseAny?: { clusterIds: string[] };
  singleClusterRouting?: { clusterId: string; allowTransactionalWrites: boolean };
  isolation?: 'priority' | 'standardIsolation' | 'dataBoostIsolationReadOnly';
  priority?: string;
  standardIsolation?: { priority: string };
}

export interface Operation {
  name: string;
  done: boolean;
  metadata: { typeUrl: string; value: Buffer };
  response: { typeUrl: string; value: Buffer };
}
