// Arguments of Node for an origin: `node ...NODE_ARGS origin/start.mjs`. A small young generation: what gRPC calls
// leave behind survives minor collections (docs/decisions/0019), and at the default size such a collection stops the
// process for too long.
export const NODE_ARGS: readonly string[] = ['--max-semi-space-size=8'];
