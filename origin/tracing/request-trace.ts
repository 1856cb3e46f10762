// The trace of a request through an origin. A request has one only if the edge records it (`traceparent` with the
// sampled flag, W3C Trace Context). Reads of many requests share a ReadRows call, so the code that loses the request's
// asynchronous context keeps its trace by hand, and a call names all requests that it serves.
import { AsyncLocalStorage } from 'node:async_hooks';
import type { IncomingMessage, ServerResponse } from 'node:http';

export type TraceAttributes = Readonly<Record<string, string | number | boolean | undefined>>;

/** A span in progress, and the door to spans below it. */
export interface RequestTrace {
  describe(attributes: TraceAttributes): void;
  /** Starts a span below this one. `others` are further spans that it works for. */
  start(name: string, attributes: TraceAttributes, others?: readonly RequestTrace[]): RequestTrace;
  /** `error`: the reason for which the work failed. */
  end(error?: Error): void;
}

const active = new AsyncLocalStorage<RequestTrace>();

/** The trace of the request for which the running code works. Undefined if it is not recorded. */
export const currentTrace = (): RequestTrace | undefined => active.getStore();

export const runInTrace = <T>(trace: RequestTrace, work: () => T): T => active.run(trace, work);

/** `work` for a caller that has another trace, or none. */
export function keepTrace<A extends unknown[], T>(work: (...args: A) => T): (...args: A) => T {
  const trace = active.getStore();
  return trace === undefined ? work : (...args) => active.run(trace, () => work(...args));
}

/** Starts the trace of a request. The result runs work in it. */
export type OpenTrace = (request: IncomingMessage, response: ServerResponse) => RunInTrace;
export type RunInTrace = (work: () => void) => void;

export const runPlainly: RunInTrace = (work) => work();

export interface Tracing {
  readonly open: OpenTrace;
  /** Sends the spans that wait. Resolves when they are sent, or given up after the time of an export. */
  close(): Promise<void>;
}

export const NO_TRACING: Tracing = { open: () => runPlainly, close: async () => {} };
