// The log of an origin. It has no ids of users: Bigtable quotes row keys in some of its errors, and they end in an id.
import { type DestinationStream, type Logger, pino } from 'pino';
import type { OriginConfig } from './config.ts';

/** A row key as makeRowKey makes it: 4 hex digits, then an id. */
const ROW_KEY = /\b([\da-f]{4})#[^\s'"`,;)\]}\\]+/gi;

/** `text` with the id cut out of every row key. */
export const withoutIds = (text: string): string => text.replaceAll(ROW_KEY, '$1#(id)');

const MAX_DEPTH = 5;

function redact(value: unknown, depth = 0): unknown {
  if (typeof value === 'string') return withoutIds(value);
  if (typeof value !== 'object' || value === null || depth > MAX_DEPTH) return value;
  if (Array.isArray(value)) return value.map((each) => redact(each, depth + 1));
  return Object.fromEntries(Object.entries(value).map(([name, each]) => [name, redact(each, depth + 1)]));
}

/** Writes to `destination`. Default: standard output. */
export const createLogger = (
  { logLevel: level, region }: Pick<OriginConfig, 'logLevel' | 'region'>,
  destination?: DestinationStream,
): Logger =>
  pino(
    {
      level,
      base: { service: 'earshot-origin', region },
      serializers: { err: (error: Error) => redact(pino.stdSerializers.err(error)) },
    },
    destination,
  );
