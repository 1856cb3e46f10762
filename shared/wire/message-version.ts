// The version of the messages between worker, region objects and origins. Two builds are live side by side during every
// deployment, and an object can run an earlier build than its callers for minutes. So each side ignores fields that it
// does not know, a new meaning never goes into an old field, and each side serves the version before and after its own.
// test/unit/shared/wire/messages has recorded messages of each version.
/**
 * Version 1 had no number. Version 2 adds releases: `items` and `coldFor` in a key, `warm` in a read. Version 3 adds
 * the build of the one who answers. Version 4 adds the report of the edge's counters.
 */
export const MESSAGE_VERSION = 4;
/** On requests of the edge and of region objects, and on the answers of origins. */
export const MESSAGE_VERSION_HEADER = 'Earshot-Message-Version';
/** The build of an origin, on its answers: `0.1.0+3f2c9a1`. For people only. */
export const BUILD_HEADER = 'Earshot-Build';

/**
 * On requests of region objects: milliseconds for which a list usually stays in the object's memory. Origins tell it to
 * commands.
 */
export const RESIDENCE_HEADER = 'Earshot-Residence-Ms';

/** The version in a header or a message. A message without one is of version 1. */
export function readMessageVersion(value: string | number | null | undefined): number {
  const version = Number(value ?? 1);
  return Number.isSafeInteger(version) && version >= 1 ? version : 1;
}

/** Whether a side of another version may miss the meaning of a message. */
export const isFarVersion = (version: number): boolean => Math.abs(version - MESSAGE_VERSION) > 1;
