// Headers of every answer. They are set when the answer is made, because changing it later costs more.
import { REQUEST_ID_HEADER } from '../../shared/wire/request-id.ts';

/** docs/decisions/0037 names the headers that are left out, and why. */
export const everyAnswer = (requestId: string): Record<string, string> => ({
  'X-Content-Type-Options': 'nosniff',
  // A browser that is led to an answer shows it as a document. It must load nothing, and be in no frame.
  'Content-Security-Policy': "default-src 'none'; frame-ancestors 'none'",
  [REQUEST_ID_HEADER]: requestId,
});

/** Two years, as preload lists demand at least half of it. */
const HTTPS_ONLY = 'max-age=63072000';

/** Tells browsers to come back by HTTPS only (RFC 6797). The local cloud has HTTP. */
export function requireHttps(response: Response): Response {
  response.headers.set('Strict-Transport-Security', HTTPS_ONLY);
  return response;
}
