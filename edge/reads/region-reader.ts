// Reads lists from one region, through the region's object or straight from its origin.
import type { Region } from '../../shared/domain/regions.ts';
import type { Call } from '../request/call.ts';
import type { ListRequest, LoadResult } from './list-source.ts';

export interface RegionReader {
  /** One result per request, in order. Never rejects. */
  read(region: Region, requests: readonly ListRequest[], call: Call): Promise<LoadResult[]>;
}
