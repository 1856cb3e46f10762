// A generation is the moment a batch of lists was computed: whole milliseconds since the epoch. It is the cell's
// timestamp in Bigtable (there in microseconds) and ISO 8601 wherever a person reads it.

/** The year 2000: what is before it was meant in seconds. */
export const MIN_GENERATION = 946_684_800_000;
/** The end of the year 9999, so that an ISO form always has four digits for the year. */
export const MAX_GENERATION = 253_402_300_799_999;

export const isGeneration = (value: number): boolean =>
  Number.isSafeInteger(value) && value >= MIN_GENERATION && value <= MAX_GENERATION;

/** `2026-11-22T03:00:00.000Z`. The last one is remembered, because few generations are live at a time. */
export function formatGeneration(generation: number): string {
  if (generation !== last.generation) last = { generation, text: new Date(generation).toISOString() };
  return last.text;
}

let last = { generation: Number.NaN, text: '' };

/** Takes milliseconds or an ISO 8601 moment with its zone; undefined for anything else. */
export function parseGeneration(text: string): number | undefined {
  const value = /^\d{1,15}$/.test(text) ? Number(text) : parseIso(text);
  return isGeneration(value) ? value : undefined;
}

function parseIso(text: string): number {
  return /^\d{4}-\d{2}-\d{2}(T\d{2}:\d{2}(:\d{2}(\.\d{1,3})?)?(Z|[+-]\d{2}:\d{2}))?$/.test(text)
    ? Date.parse(text)
    : Number.NaN;
}
