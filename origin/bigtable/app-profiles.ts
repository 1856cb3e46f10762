// Names of Earshot's app profiles, which `ops/bigtable/app-profiles.ts` creates.
export const APP_PROFILES = { ingest: 'ingest', control: 'control', any: 'serve-any' } as const;
/** `serve-europe` for the region `europe`. */
export const makeServeProfile = (region: string): string => `serve-${region}`;
