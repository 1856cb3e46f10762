// The functions that make cells of a table's rows within BigQuery, in JavaScript. They give the row key of makeRowKey
// and the stored form of the loader, or null for a row that the loader would reject.
import { POPULAR_USER, PUBLIC_ID_PATTERN } from '../../shared/domain/ids.ts';
import { ITEM_SEPARATOR, MAX_ITEMS } from '../../shared/domain/list.ts';

/** A body of `function (user)`. The hash is that of shared/runtime/hash.ts; ids are ASCII, so a character is a byte. */
export const ROW_KEY_BODY = `
  const isId = ${String(PUBLIC_ID_PATTERN)};
  if (typeof user !== 'string' || !(isId.test(user) || user === ${JSON.stringify(POPULAR_USER)})) return null;
  const mix = (block) => {
    const k = Math.imul(block, 0xcc9e2d51);
    return Math.imul((k << 15) | (k >>> 17), 0x1b873593);
  };
  const blocksEnd = user.length - (user.length % 4);
  let h = 0;
  for (let i = 0; i < blocksEnd; i += 4) {
    h ^= mix(user.charCodeAt(i) | (user.charCodeAt(i + 1) << 8) | (user.charCodeAt(i + 2) << 16) | (user.charCodeAt(i + 3) << 24));
    h = (h << 13) | (h >>> 19);
    h = (Math.imul(h, 5) + 0xe6546b64) | 0;
  }
  let tail = 0;
  for (let i = user.length - 1; i >= blocksEnd; i--) tail = (tail << 8) | user.charCodeAt(i);
  if (blocksEnd < user.length) h ^= mix(tail);
  h ^= user.length;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  h = (h ^ (h >>> 16)) & 0xffff;
  return ('000' + h.toString(16)).slice(-4) + '#' + user;
`;

/** A body of `function (items)`. A score has ECMAScript's shortest spelling, as in an Avro file that is loaded. */
export const LIST_BODY = `
  const isId = ${String(PUBLIC_ID_PATTERN)};
  if (!Array.isArray(items) || items.length < 1 || items.length > ${MAX_ITEMS}) return null;
  const lines = [];
  for (const item of items) {
    if (item === null || typeof item.id !== 'string' || !isId.test(item.id)) return null;
    if (typeof item.score !== 'number' || !isFinite(item.score)) return null;
    lines.push('{"id":"' + item.id + '","score":' + String(item.score) + '}');
  }
  return lines.join(${JSON.stringify(ITEM_SEPARATOR)});
`;
