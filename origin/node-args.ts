// How Node is to be started for an origin: `node ...NODE_ARGS origin/main.ts`, which is what `npm run origin` does.
//
// A small young generation. What a gRPC call was made of outlives it: V8 keeps the tables that a Map or Set has outgrown until a major collection,
// and from those of grpc-js and of Node's HTTP/2 session everything of the calls can be reached that were under way. So what a minor collection
// has to copy grows with the time since the last one, and at Node's default size it stops the process for 10 to 30 ms every few seconds
// (docs/decisions/0019).
export const NODE_ARGS: readonly string[] = ['--max-semi-space-size=8'];
