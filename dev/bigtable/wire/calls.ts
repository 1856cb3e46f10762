// Adapter from async functions to gRPC handlers. A unary handler's result is the answer, and a thrown error is the
// status. A call with a cancelled caller ends without either.
import type { handleServerStreamingCall, handleUnaryCall, ServerUnaryCall, ServerWritableStream } from '@grpc/grpc-js';
import { toStatusError } from './status.ts';

/** Result of a handler whose caller has cancelled. */
export const CANCELLED = Symbol('the caller has cancelled');

export function unary<Request, Response>(
  handle: (
    request: Request,
    call: ServerUnaryCall<Request, Response>,
  ) => Promise<Response | typeof CANCELLED> | Response,
): handleUnaryCall<Request, Response> {
  return (call, callback) => {
    const run = async () => {
      try {
        const response = await handle(call.request, call);
        if (response !== CANCELLED && !call.cancelled) callback(null, response);
      } catch (error) {
        if (!call.cancelled) callback(toStatusError(error));
      }
    };
    void run();
  };
}

export function streaming<Request, Response>(
  handle: (request: Request, call: ServerWritableStream<Request, Response>) => Promise<unknown>,
): handleServerStreamingCall<Request, Response> {
  return (call) => {
    const run = async () => {
      try {
        if ((await handle(call.request, call)) !== CANCELLED && !call.cancelled) call.end();
      } catch (error) {
        if (!call.cancelled) call.emit('error', toStatusError(error));
      }
    };
    void run();
  };
}

/** Waits until the stream accepts more data or its reader has disconnected. */
export function drained(call: ServerWritableStream<unknown, unknown>): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      call.removeListener('drain', done);
      call.removeListener('close', done);
      resolve();
    };
    call.once('drain', done);
    call.once('close', done);
    if (call.destroyed) done();
  });
}
