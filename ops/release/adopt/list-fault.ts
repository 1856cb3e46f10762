// The rules of a stored list that another engine wrote: those of a line that our own loader reads.
import { isLoadableUser, type UserId } from '../../../shared/domain/ids.ts';
import { idOfRowKey, makeRowKey } from '../../../shared/domain/keys.ts';
import { ITEM_SEPARATOR } from '../../../shared/domain/list.ts';
import { parseListLine } from '../../ingest/line/list-line.ts';

export interface Fault {
  readonly rowKey: string;
  readonly reason: string;
}

/** The user of a row key that makeRowKey makes, or the reason why it makes no such key. */
export function userOfRowKey(rowKey: string): { readonly user: UserId } | { readonly reason: string } {
  const user = idOfRowKey(rowKey);
  if (user === undefined) return { reason: 'expected a row key of 4 hex digits, # and a user id' };
  if (!isLoadableUser(user)) return { reason: `expected a user id behind the #, got ${JSON.stringify(user)}` };
  const wanted = makeRowKey(user);
  return wanted === rowKey ? { user } : { reason: `expected the row key ${wanted} for the user ${user}` };
}

/** The reason why the value is no stored list; undefined for a valid one. */
export function whyNotList(user: UserId, value: Buffer): string | undefined {
  // Ids, numbers and names are ASCII: any other byte breaks a rule in this form, too.
  const stored = value.toString('latin1');
  let canonical: string;
  try {
    canonical = parseListLine(`{"user":"${user}","items":[${stored.replaceAll(ITEM_SEPARATOR, ',')}]}`).value;
  } catch (error) {
    return (error as Error).message;
  }
  if (canonical === stored) return undefined;
  return `expected the stored form ${excerpt(canonical, canonical, stored)}, got ${excerpt(stored, canonical, stored)}`;
}

const EXCERPT_CHARS = 40;

/** The part of `text` around the first difference of `a` and `b`. */
function excerpt(text: string, a: string, b: string): string {
  let at = 0;
  while (at < a.length && a[at] === b[at]) at++;
  const from = Math.max(0, at - EXCERPT_CHARS / 2);
  return JSON.stringify(text.slice(from, from + EXCERPT_CHARS));
}
