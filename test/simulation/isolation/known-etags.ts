// The ETags of answers so far: each belongs to one body, and a 304 with it to the same read.
import { told } from './judge-read.ts';
import type { DrawnRead } from './requests.ts';
import { demand } from './violation.ts';

/** An ETag with the read whose answer had it. */
export interface KnownEtag {
  readonly etag: string;
  readonly read: DrawnRead;
}

export interface KnownEtags {
  /** The latest ones. */
  latest(): readonly KnownEtag[];
  /** The answer to `read` had `etag` and this body. */
  record(etag: string, read: DrawnRead, text: string): void;
  /** `read` with `ifNoneMatch` got a 304 with `etag`. */
  judgeNotModified(read: DrawnRead, etag: string, ifNoneMatch: string): void;
}

const MAX_LATEST = 400;

export function createKnownEtags(): KnownEtags {
  const known = new Map<string, KnownEtag & { readonly text: string }>();
  let latest: readonly KnownEtag[] = [];

  return {
    latest: () => latest,
    record: (etag, read, text) => {
      const first = known.get(etag);
      demand(first === undefined || first.text === text, () => `${etag} is of two bodies: ${first?.text} and ${text}`);
      if (first !== undefined) return;
      known.set(etag, { etag, read, text });
      latest = [...latest.slice(1 - MAX_LATEST), { etag, read }];
    },
    judgeNotModified: (read, etag, ifNoneMatch) => {
      demand(ifNoneMatch === '*' || ifNoneMatch.includes(etag), () => `304 with ${etag} for ${ifNoneMatch}`);
      const of = known.get(etag)?.read;
      const isOwn =
        of === undefined
          ? ifNoneMatch === '*'
          : of.user === read.user && of.surface === read.surface && of.limit === read.limit;
      demand(isOwn, () => `304 for ${told(read)} with ${etag} of ${of === undefined ? 'no answer' : told(of)}`);
    },
  };
}
