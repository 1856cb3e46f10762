// Names of Earshot's app profiles, which `ops/bigtable/app-profiles.ts` creates.
export const APP_PROFILES = { ingest: 'ingest', control: 'control', any: 'serve-any' } as const;
/** `serve-europe` for the region `europe`. */
export const makeServeProfile = (region: string): string => `serve-${region}`;
/** `control-europe`: compare-and-set through the cluster of `europe`, for the time without the write cluster. */
export const makeControlProfile = (region: string): string => `control-${region}`;
