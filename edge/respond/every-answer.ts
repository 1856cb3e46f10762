// Headers of every answer. They are set when the answer is made, because changing it later costs more.

export const EVERY_ANSWER = { 'X-Content-Type-Options': 'nosniff' } as const;
