// The form of a batch's body.
import type { ListBody } from '../body.ts';

export const MAX_BATCH_READS = 100;
/** 100 reads with the longest names need less than 31 KB. The rest allows for indentation. */
export const MAX_BATCH_BYTES = 65_536;

export const BATCH_BODY: ListBody = { name: 'reads', maxElements: MAX_BATCH_READS, maxBytes: MAX_BATCH_BYTES };
