// Headers of every answer. They are set when the answer is made, because changing it later costs more.
import { REQUEST_ID_HEADER } from '../../shared/wire/request-id.ts';

export const everyAnswer = (requestId: string): Record<string, string> => ({
  'X-Content-Type-Options': 'nosniff',
  [REQUEST_ID_HEADER]: requestId,
});
