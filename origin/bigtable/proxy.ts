// The proxy through which gRPC reaches Google's service: grpc-js takes it from the environment, for example from
// https_proxy. A failure that does not name it looks like a failure of Google.
const VARIABLES = ['grpc_proxy', 'https_proxy', 'http_proxy'] as const;

/** `https_proxy http://proxy:3128`, without user and password. Undefined without a proxy. */
export function describeProxy(env: Readonly<Record<string, string | undefined>>): string | undefined {
  const name = VARIABLES.find((variable) => env[variable]);
  const text = name === undefined ? undefined : env[name];
  if (name === undefined || text === undefined) return undefined;
  return URL.canParse(text) ? `${name} ${new URL(text).protocol}//${new URL(text).host}` : `${name}, which is no URL`;
}
