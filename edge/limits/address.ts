// The key of a caller's address. Cloudflare sets the header, and replaces one that the caller sends.

export const ADDRESS_HEADER = 'cf-connecting-ip';
const MAX_ADDRESS_CHARACTERS = 45;
const MAPPED = /^::ffff:([\d.]+)$/i;

/** An IPv4 address, or the /64 prefix of an IPv6 address, which one subscriber has. Undefined without the header. */
export function addressKeyOf(header: string | null | undefined): string | undefined {
  if (header === null || header === undefined || header.length > MAX_ADDRESS_CHARACTERS) return undefined;
  if (!header.includes(':')) return /^[\d.]+$/.test(header) ? header : undefined;
  if (!/^[\da-f:.]+$/i.test(header)) return undefined;
  // An IPv4 address in the form of IPv6: all of them have one /64.
  const mapped = MAPPED.exec(header)?.[1];
  if (mapped !== undefined) return mapped;
  return `${expandGroups(header.toLowerCase()).slice(0, 4).join(':')}::/64`;
}

/** The 16-bit groups of an IPv6 address in text form (RFC 4291, section 2.2), without leading zeros. */
function expandGroups(address: string): string[] {
  const [head = '', tail] = address.split('::');
  const first = head === '' ? [] : head.split(':');
  const last = tail === undefined || tail === '' ? [] : tail.split(':');
  const zeros = tail === undefined ? 0 : Math.max(0, 8 - first.length - last.length);
  return [...first, ...Array<string>(zeros).fill('0'), ...last].map((group) => group.replace(/^0+(?=.)/, ''));
}
