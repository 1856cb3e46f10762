// The wire protocol: Google's .proto files from the official client, loaded as gRPC service definitions. Field names
// are camelCase and bytes are Buffers. int64 are numbers: microseconds since the epoch fit a double exactly.
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import type { ServiceDefinition } from '@grpc/grpc-js';
import { loadSync, type PackageDefinition } from '@grpc/proto-loader';
import type { AppProfileMessage, BackupMessage, MutateRowsRequest, TableMessage } from './messages.ts';
import { parseBulkRequest } from './mutate-rows-request.ts';

export interface Protocol {
  data: ServiceDefinition;
  tableAdmin: ServiceDefinition;
  instanceAdmin: ServiceDefinition;
  serializeProfile: (profile: AppProfileMessage) => Buffer;
  serializeBackup: (backup: BackupMessage) => Buffer;
  serializeTable: (table: TableMessage) => Buffer;
}

/** Reads the .proto files from disk, about 100 ms. Call it once per server. */
export function loadProtocol(): Protocol {
  const definitions = loadSync(
    [
      'google/bigtable/v2/bigtable.proto',
      'google/bigtable/admin/v2/bigtable_table_admin.proto',
      'google/bigtable/admin/v2/bigtable_instance_admin.proto',
    ],
    { includeDirs: protoDirectories(), longs: Number, enums: String, defaults: true, oneofs: true },
  );
  const instanceAdmin = service(definitions, 'google.bigtable.admin.v2.BigtableInstanceAdmin');
  const tableAdmin = service(definitions, 'google.bigtable.admin.v2.BigtableTableAdmin');
  return {
    data: withBulkRequests(service(definitions, 'google.bigtable.v2.Bigtable')),
    tableAdmin,
    instanceAdmin,
    serializeProfile: serializerOf(instanceAdmin, 'GetAppProfile'),
    serializeBackup: serializerOf(tableAdmin, 'GetBackup'),
    serializeTable: serializerOf(tableAdmin, 'GetTable'),
  };
}

/** Makes MutateRows receive a BulkRequest. */
function withBulkRequests(data: ServiceDefinition): ServiceDefinition {
  const { MutateRows: method } = data;
  if (method === undefined) throw new Error('expected MutateRows among the methods of the loaded protos');
  const decode = (bytes: Buffer) => method.requestDeserialize(bytes) as MutateRowsRequest;
  return { ...data, MutateRows: { ...method, requestDeserialize: (bytes: Buffer) => parseBulkRequest(bytes, decode) } };
}

/** The result of an operation carries an encoded message: the one with which `getter` answers. */
function serializerOf(admin: ServiceDefinition, getter: string): (message: object) => Buffer {
  const method = admin[getter];
  if (method === undefined) throw new Error(`expected ${getter} among the methods of the loaded protos`);
  return (message) => method.responseSerialize(message);
}

/** Google's common protos (google/api, google/rpc) are not in the client but in google-gax, beside it or within it. */
function protoDirectories(): string[] {
  const client = createRequire(import.meta.url).resolve('@google-cloud/bigtable');
  const gax = createRequire(client).resolve('google-gax');
  return [join(dirname(client), '../protos'), join(dirname(gax), '../protos')];
}

function service(definitions: PackageDefinition, name: string): ServiceDefinition {
  const found = definitions[name];
  if (found === undefined || 'format' in found)
    throw new Error(`expected ${name} to be a gRPC service of the loaded protos`);
  return found as ServiceDefinition;
}
