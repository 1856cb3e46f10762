// The lines of several inputs that are accepted: they can be parsed, and no line before has their id. The others are
// rejects with a reason.
import type { CellWrite } from '../bigtable/writes/bulk-writer.ts';
import type { Line, RecordForm } from './formats/line.ts';
import { readLines } from './formats/open-lines.ts';
import type { Source } from './inputs/source.ts';
import type { Rejects } from './rejects.ts';
import { createSeenIds } from './seen-ids.ts';

export interface ParsedLine {
  /** Id of the line. A second line with the same id in one load is a reject. */
  readonly id: string;
  readonly cell: CellWrite & { readonly value: string };
}

export interface LineCheck {
  /** The lines from now on are of `source`. */
  open(source: Source): void;
  /** The line, or the reason of its reject. */
  check(line: Line): ParsedLine | string;
  /** Whether a valid line had the id. */
  hasId(id: string): boolean;
}

/** `parse` throws an Error with the reason of a reject. */
export function createLineCheck(parse: (text: string) => ParsedLine): LineCheck {
  const seen = createSeenIds();
  const places = createPlaces();
  return {
    open: places.open,
    hasId: seen.has,
    check: (line) => {
      if (line.broken !== undefined) return line.broken;
      let parsed: ParsedLine;
      try {
        parsed = parse(line.text);
      } catch (error) {
        return (error as Error).message;
      }
      if (line.rowKey !== undefined && line.rowKey !== parsed.cell.rowKey)
        return `expected the row key ${parsed.cell.rowKey}, got ${line.rowKey}`;
      const earlier = seen.add(parsed.id, places.numberOf(line.number));
      return earlier === undefined
        ? parsed
        : `expected each id once in a load, got ${parsed.id} again after ${places.describe(earlier)}`;
    },
  };
}

export interface AcceptedLinesOptions {
  readonly sources: readonly Source[];
  readonly form: RecordForm;
  readonly parse: (text: string) => ParsedLine;
  readonly rejects: Pick<Rejects, 'add'>;
  readonly onBytes: (bytes: number) => void;
}

/**
 * Yields the accepted lines in groups, in the order of the inputs. Throws an Error for an input that is empty or cut.
 */
export async function* readAccepted(options: AcceptedLinesOptions): AsyncGenerator<ParsedLine[]> {
  const { sources, form, parse, rejects, onBytes } = options;
  const { open, check } = createLineCheck(parse);
  for (const source of sources) {
    open(source);
    let isWhole = false;
    for await (const lines of readLines(source, form, onBytes)) {
      isWhole = true;
      const accepted: ParsedLine[] = [];
      for (const line of lines) {
        const parsed = check(line);
        if (typeof parsed !== 'string') accepted.push(parsed);
        else await rejects.add({ file: source.shortName, line: line.number, reason: parsed, text: line.text });
      }
      yield accepted;
    }
    if (!isWhole) throw new Error(`${source.name}: expected at least one line, got an empty file`);
  }
}

/** Numbers the lines of all inputs in one sequence. */
function createPlaces() {
  const opened: { readonly source: Source; readonly before: number }[] = [];
  let last = 0;
  const before = (): number => opened.at(-1)?.before ?? 0;
  return {
    open: (source: Source): void => void opened.push({ source, before: last }),
    numberOf: (line: number): number => {
      last = before() + line;
      return last;
    },
    /** `line 7`, or with its input if that is another one. */
    describe: (number: number): string => {
      const place = opened.findLast((each) => each.before < number);
      const line = `line ${number - (place?.before ?? 0)}`;
      return place === undefined || place === opened.at(-1) ? line : `${line} of ${place.source.shortName}`;
    },
  };
}
