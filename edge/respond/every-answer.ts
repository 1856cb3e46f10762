// The headers that every answer has, whatever it is. They are given when it is made, because changing an answer afterwards costs more.

export const EVERY_ANSWER = { 'X-Content-Type-Options': 'nosniff' } as const;
