// Generations of measurements and tests. They depend on today: lists of old generations are collected.
const DAY_MS = 86_400_000;
const HOURS_03_MS = 10_800_000;

/** 03:00 UTC of the day that is `days` before today. */
export const generationDaysAgo = (days: number, nowMs = Date.now()): number =>
  (Math.floor(nowMs / DAY_MS) - days) * DAY_MS + HOURS_03_MS;
