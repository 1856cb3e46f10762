// The headers of every answer of an origin: nothing of it may be stored on the way or be taken for another media type.
import type { IncomingHttpHeaders } from 'node:http';
import { BUILD_HEADER, MESSAGE_VERSION, MESSAGE_VERSION_HEADER } from '../../shared/wire/message-version.ts';
import { REQUEST_ID_HEADER } from '../../shared/wire/request-id.ts';
import { requestIdOf } from './request-id.ts';

const OF_EVERY_ANSWER = {
  'Cache-Control': 'no-store',
  'X-Content-Type-Options': 'nosniff',
  [MESSAGE_VERSION_HEADER]: String(MESSAGE_VERSION),
} as const;

export type OwnHeaders = (request: IncomingHttpHeaders) => Readonly<Record<string, string>>;

/** The headers name `build`, and have the request's id as the edge sent it. */
export function createOwnHeaders(build: string): OwnHeaders {
  const ofEveryAnswer = { ...OF_EVERY_ANSWER, [BUILD_HEADER]: build };
  return (request) => {
    const id = requestIdOf(request);
    return id === undefined ? ofEveryAnswer : { ...ofEveryAnswer, [REQUEST_ID_HEADER]: id };
  };
}
