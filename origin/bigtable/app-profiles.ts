// Names of the app profiles that Earshot uses. `ops/bigtable/app-profiles.ts` creates them.

export const APP_PROFILES = { ingest: 'ingest', control: 'control', any: 'serve-any' } as const;
/** `serve-europe` for the region `europe`. */
export const makeServeProfile = (region: string): string => `serve-${region}`;
