import { expect, test } from 'vitest';
import { createLogger, withoutIds } from '../../../origin/log.ts';
import { toUserId } from '../../../shared/domain/ids.ts';
import { makeRowKey } from '../../../shared/domain/keys.ts';

const USERS = ['listener:1', 'auth0|5f7c', 'ann+x@example.com', 'a-b.c_d~e'];

test('an error of Bigtable is logged without the ids in its row keys, in message, stack, details and causes', () => {
  const lines: string[] = [];
  const logger = createLogger({ logLevel: 'info', region: 'asia' }, { write: (line) => void lines.push(line) });
  for (const user of USERS) {
    const key = makeRowKey(toUserId(user));
    const cause = Object.assign(new Error(`Error while reading row '${key}'`), { details: `row ${key}: too large` });
    const err = Object.assign(new Error(`a call failed: ${key}`, { cause }), { keys: [key], metadata: { row: key } });
    logger.warn({ err }, 'Bigtable failed');
    const line = lines.pop() ?? '';
    expect(line).not.toContain(user);
    expect(line).toContain(`${key.slice(0, 5)}(id)`);
    expect(JSON.parse(line)).toMatchObject({ service: 'earshot-origin', region: 'asia', err: { type: 'Error' } });
  }
});

test('a text without a row key stays', () => {
  for (const text of ['14 UNAVAILABLE: connect ECONNREFUSED 127.0.0.1:1', 'at file:///a/b.ts:1:2', 'issue #12'])
    expect(withoutIds(text)).toBe(text);
});
