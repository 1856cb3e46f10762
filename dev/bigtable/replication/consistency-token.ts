// Consistency tokens: the number of commits of each cluster at the time of the token. Opaque to callers, bound to one
// table.
import { z } from 'zod';
import { invalidArgument } from '../wire/status.ts';

const tokenSchema = z.strictObject({ table: z.string(), positions: z.record(z.string(), z.int().min(0)) });

export function toToken(table: string, positions: Record<string, number>): string {
  return Buffer.from(JSON.stringify({ table, positions })).toString('base64url');
}

export function parseToken(table: string, token: string): Record<string, number> {
  const parsed = tokenSchema.safeParse(parseJson(Buffer.from(token, 'base64url').toString()));
  if (!parsed.success || parsed.data.table !== table)
    throw invalidArgument(`Invalid consistency token for table ${table}`);
  return parsed.data.positions;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
