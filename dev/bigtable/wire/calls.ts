// gRPC handlers from plain async functions: what a unary one returns is the answer, what they throw is the status, and
// a call whose caller has gone is dropped without either.
import type { handleServerStreamingCall, handleUnaryCall, ServerUnaryCall, ServerWritableStream } from '@grpc/grpc-js';
import { toStatusError } from './status.ts';

/** Returned instead of an answer when the caller has gone. */
export const GONE = Symbol('the caller has gone');

export function unary<Request, Response>(
  handle: (request: Request, call: ServerUnaryCall<Request, Response>) => Promise<Response | typeof GONE> | Response,
): handleUnaryCall<Request, Response> {
  return (call, callback) => {
    const run = async () => {
      try {
        const response = await handle(call.request, call);
        if (response !== GONE && !call.cancelled) callback(null, response);
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
        if ((await handle(call.request, call)) !== GONE && !call.cancelled) call.end();
      } catch (error) {
        if (!call.cancelled) call.emit('error', toStatusError(error));
      }
    };
    void run();
  };
}

/** Waits until the stream takes more, or its reader has gone. */
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
