// Structured log lines: one JSON object a line, with the name of what happened. Never a token, a secret or a list.

export type LogFields = Readonly<Record<string, string | number | undefined>>;

export interface Log {
  warn(event: string, fields: LogFields): void;
  error(event: string, fields: LogFields): void;
}

export const consoleLog: Log = {
  warn: (event, fields) => console.warn(JSON.stringify({ level: 'warn', event, ...fields })),
  error: (event, fields) => console.error(JSON.stringify({ level: 'error', event, ...fields })),
};
