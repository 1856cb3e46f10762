// A generation is the moment when a batch of lists was computed, in whole milliseconds since the epoch. It is the
// timestamp of the cells in Bigtable (microseconds there), and ISO 8601 wherever a person reads it.
/** The year 2000. An earlier number was meant in seconds. */
export const MIN_GENERATION = 946_684_800_000;
/** The end of the year 9999: the ISO form always has a year of four digits. */
export const MAX_GENERATION = 253_402_300_799_999;

export const isGeneration = (value: number): boolean =>
  Number.isSafeInteger(value) && value >= MIN_GENERATION && value <= MAX_GENERATION;

/** `2026-11-22T03:00:00.000Z`. The last result is cached, because few generations are live at a time. */
export function formatGeneration(generation: number): string {
  if (generation !== last.generation) last = { generation, text: new Date(generation).toISOString() };
  return last.text;
}

let last = { generation: Number.NaN, text: '' };

/** Parses milliseconds, or an ISO 8601 moment with its zone. Returns undefined for any other text. */
export function parseGeneration(text: string): number | undefined {
  const value = /^\d{1,15}$/.test(text) ? Number(text) : parseIso(text);
  return isGeneration(value) ? value : undefined;
}

function parseIso(text: string): number {
  return /^\d{4}-\d{2}-\d{2}(T\d{2}:\d{2}(:\d{2}(\.\d{1,3})?)?(Z|[+-]\d{2}:\d{2}))?$/.test(text)
    ? Date.parse(text)
    : Number.NaN;
}
