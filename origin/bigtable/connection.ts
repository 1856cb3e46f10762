// Clients of Bigtable: the official generated stubs, for Google's service and for emulators. Each call sets its own
// deadline, because the default of ReadRows is 12 hours.
import { v2 } from '@google-cloud/bigtable';
import { type Client, credentials } from '@grpc/grpc-js';
import { googleAuthLibrary } from 'google-gax';
import { EarshotError } from '../../shared/wire/errors.ts';

export interface BigtableAddress {
  readonly project: string;
  readonly instance: string;
  /** `host:port` of an emulator, without TLS and credentials. Default: Google's service. */
  readonly emulatorHost?: string | undefined;
}

/** `projects/P/instances/I`. */
export const instanceNameOf = ({ project, instance }: BigtableAddress): string =>
  `projects/${project}/instances/${instance}`;

/** Opens each client at its first use, and again after a failure. The methods reject as `openClient` does. */
export interface BigtableConnection {
  data(): Promise<v2.BigtableClient>;
  tableAdmin(): Promise<v2.BigtableTableAdminClient>;
  instanceAdmin(): Promise<v2.BigtableInstanceAdminClient>;
  /** `projects/P`. */
  readonly projectName: string;
  /** `projects/P/instances/I`. */
  readonly instanceName: string;
  /** `projects/P/instances/I/tables/T`. */
  tableName(table: string): string;
  close(): Promise<void>;
}

/** A cell may have 10 MB and a row 100 MB. gRPC's default limit is 4 MB. */
const MAX_MESSAGE_BYTES = 256 * 1024 * 1024;

/** Unread bytes of a connection or call. HTTP/2's default allows 64 kB a round trip (docs/decisions/0015). */
const FLOW_CONTROL_WINDOW_BYTES = 4 * 1024 * 1024;

/** Options of all clients of Bigtable. */
export const clientOptions = ({ project, emulatorHost }: BigtableAddress) => ({
  projectId: project,
  'grpc.max_receive_message_length': MAX_MESSAGE_BYTES,
  'grpc.max_send_message_length': MAX_MESSAGE_BYTES,
  'grpc-node.flow_control_window': FLOW_CONTROL_WINDOW_BYTES,
  // As Google's client: a dead connection is detected in seconds, not in minutes.
  'grpc.keepalive_time_ms': 30_000,
  'grpc.keepalive_timeout_ms': 10_000,
  ...(emulatorHost === undefined ? {} : emulatorOptions(emulatorHost)),
});

export function connectBigtable(address: BigtableAddress): BigtableConnection {
  const options = clientOptions(address);
  const data = openOnce(() => new v2.BigtableClient(options));
  const tableAdmin = openOnce(() => new v2.BigtableTableAdminClient(options));
  const instanceAdmin = openOnce(() => new v2.BigtableInstanceAdminClient(options));
  const instanceName = instanceNameOf(address);
  return {
    data: data.open,
    tableAdmin: tableAdmin.open,
    instanceAdmin: instanceAdmin.open,
    projectName: `projects/${address.project}`,
    instanceName,
    tableName: (table) => `${instanceName}/tables/${table}`,
    close: async () => {
      await Promise.all([data.close(), tableAdmin.close(), instanceAdmin.close()]);
    },
  };
}

interface GeneratedClient {
  initialize(): Promise<unknown>;
  close(): Promise<void>;
}

/**
 * Loads the client's credentials, and returns its stub. A generated client that loads them at its first call throws
 * outside of any caller, which ends the process. Throws an EarshotError of source `table`.
 */
export async function openClient(client: GeneratedClient): Promise<Client> {
  try {
    return (await client.initialize()) as Client;
  } catch (error) {
    throw new EarshotError('internal', 'table', `no client of Bigtable: ${(error as Error).message}`, {
      cause: error,
    });
  }
}

function openOnce<C extends GeneratedClient>(make: () => C): { open(): Promise<C>; close(): Promise<void> } {
  let opening: Promise<C> | undefined;
  const open = async (): Promise<C> => {
    const client = make();
    try {
      await openClient(client);
      return client;
    } catch (error) {
      opening = undefined;
      throw error;
    }
  };
  return {
    open: () => {
      opening ??= open();
      return opening;
    },
    close: async () => {
      const client = await opening?.catch(() => undefined);
      await client?.close();
    },
  };
}

/** `host:port` of an emulator; the host may be an IPv6 address in brackets. No URL. */
export const EMULATOR_HOST_PATTERN = /^([\w.-]+|\[[\da-f:.]+\]):(\d{1,5})$/i;

function emulatorOptions(emulatorHost: string) {
  const [, servicePath, port] = EMULATOR_HOST_PATTERN.exec(emulatorHost) ?? [];
  if (servicePath === undefined || Number(port) < 1 || Number(port) > 65_535)
    throw new Error(`expected BIGTABLE_EMULATOR_HOST to be host:port, got ${JSON.stringify(emulatorHost)}`);
  return {
    servicePath,
    port: Number(port),
    // An emulator is near. A proxy of the environment may not reach it.
    'grpc.enable_http_proxy': 0,
    sslCreds: credentials.createInsecure(),
    // Otherwise the client waits seconds for the metadata server of a Google machine.
    auth: new googleAuthLibrary.GoogleAuth({ authClient: new googleAuthLibrary.PassThroughClient() }),
  };
}
