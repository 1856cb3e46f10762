// Loads the lines of several inputs: each line becomes a cell or a reject. Cells are written in bulk. A load that goes
// on reads all lines again, because a line may repeat one of before, and writes those behind the checkpoint.

import { checksumOf } from '../bigtable/checksum.ts';
import type { Checkpoint } from '../bigtable/release-record.ts';
import type { BulkWriter } from '../bigtable/writes/bulk-writer.ts';
import { createLineCheck, type ParsedLine } from './accepted-lines.ts';
import type { RecordForm } from './formats/line.ts';
import { readLines } from './formats/open-lines.ts';
import { type Source, sizeOf } from './inputs/source.ts';
import { createMarks } from './marks.ts';
import type { Progress } from './progress.ts';
import type { Rejects } from './rejects.ts';
import type { Counted, Summary } from './summary.ts';

export interface LoadOptions {
  readonly sources: readonly Source[];
  readonly form: RecordForm;
  /** Throws an Error with the reason of a reject. */
  readonly parse: (text: string) => ParsedLine;
  readonly writer: BulkWriter;
  readonly summary: Pick<Summary, 'add' | 'remove'>;
  /** The users whose lines the load drops. Default: it drops none. */
  readonly keepOut?: KeepOut;
  /** Throws an Error if the load must not go on. Called before each group of lines. */
  readonly requireHeld?: () => void;
  /** Throws an Error if the load is refused. Called after the last line, before the last cells are written. */
  readonly requireAcceptable?: (accepted: number) => void;
  /** The lines of an earlier process, whose cells are stored. Default: none. */
  readonly resumeFrom?: Checkpoint | undefined;
  /** Whether an earlier process may have stored cells of any line. Default: false. */
  readonly hasEarlierCells?: boolean;
  /** Called with a checkpoint once the cells of its lines are stored. */
  readonly onStored?: (checkpoint: Checkpoint) => void;
  readonly rejects: Rejects;
  readonly progress: Progress;
}

export interface KeepOut {
  has(id: string): boolean;
  /** Reads the list again. Resolves with whether it has changed since the last call. */
  refresh(): Promise<boolean>;
}

/** Accepted lines between two looks at the keep-out list. Their row keys are held in memory. */
const SETTLE_LINES = 20_000;

export interface LoadedLines {
  /** Written cells. */
  readonly written: number;
  /** Lines that were dropped, because their users are kept out. */
  readonly keptOut: number;
  /** Whether a valid line had the id. */
  readonly hasId: (id: string) => boolean;
}

/**
 * Throws an Error for an input that is empty or cut, and when Bigtable refuses; earlier lines may be written then. If
 * two lines have one id, the first counts, in the order of the inputs.
 */
export async function loadFiles(options: LoadOptions): Promise<LoadedLines> {
  const { sources, form, parse, writer, summary, requireHeld = () => undefined, rejects, progress } = options;
  const { keepOut, resumeFrom, hasEarlierCells = false } = options;
  const { open, check, hasId } = createLineCheck(parse);
  const marks = createMarks(writer, options.onStored);
  progress.start(sizeOf(sources));
  let loaded = 0;
  let keptOut = 0;
  /** Valid lines, and a checksum of them in their order. */
  let valid = 0;
  let digest = 0;
  /** Accepted lines by id, since the last look. */
  let accepted = new Map<string, { readonly rowKey: string; readonly counted: Counted }>();
  try {
    for (const source of sources) {
      open(source);
      if (!(await loadSource(source))) throw new Error(`${source.name}: expected at least one line, got an empty file`);
    }
    if (resumeFrom !== undefined && valid < resumeFrom.lines) throw otherInputs(resumeFrom, `${valid} valid lines`);
    requireHeld();
    options.requireAcceptable?.(loaded + keptOut);
    await settle();
  } finally {
    progress.stop();
    await rejects.close();
  }
  return { written: loaded, keptOut, hasId };

  /**
   * A user may be kept out while the line waits in a batch: then the deletion of an erasure comes before the write. So
   * the list is read again once the cells are stored, and the cells of its new users are deleted.
   */
  async function settle(): Promise<void> {
    await writer.flush();
    if (keepOut === undefined || !(await keepOut.refresh())) {
      accepted = new Map();
      return;
    }
    for (const [id, { rowKey, counted }] of accepted) {
      if (!keepOut.has(id)) continue;
      await writer.write({ rowKey, value: undefined });
      summary.remove(counted);
      loaded--;
      keptOut++;
    }
    accepted = new Map();
    await writer.flush();
  }

  /** False for an empty file. */
  async function loadSource(source: Source): Promise<boolean> {
    let isWhole = false;
    for await (const lines of readLines(source, form, (bytes) => progress.addBytes(bytes))) {
      isWhole = true;
      requireHeld();
      for (const line of lines) {
        const parsed = check(line);
        if (typeof parsed === 'string') {
          await rejects.add({ file: source.shortName, line: line.number, reason: parsed, text: line.text });
          continue;
        }
        const room = accept(parsed);
        if (room !== undefined) await room;
      }
      // A load that goes on keeps the checkpoint that it found until it is beyond it.
      if (valid > (resumeFrom?.lines ?? 0))
        marks.add({ lines: valid, digest, file: source.name, line: lines.at(-1)?.number ?? 0 });
      if (accepted.size >= SETTLE_LINES) await settle();
      progress.setCounts(loaded, rejects.count());
    }
    return isWhole;
  }

  function accept({ id, cell }: ParsedLine): Promise<void> | undefined {
    const checksum = checksumOf(cell.rowKey, cell.value);
    valid++;
    digest = (Math.imul(digest, 31) + checksum[1]) >>> 0;
    const isStored = resumeFrom !== undefined && valid <= resumeFrom.lines;
    if (resumeFrom !== undefined && valid === resumeFrom.lines && digest !== resumeFrom.digest)
      throw otherInputs(resumeFrom, 'other lines before it');
    if (keepOut?.has(id)) {
      keptOut++;
      // A user who was kept out since may have the cell of the process before, behind its last checkpoint, too.
      return hasEarlierCells ? writer.write({ rowKey: cell.rowKey, value: undefined }) : undefined;
    }
    loaded++;
    const counted = summary.add(cell.value, checksum);
    if (keepOut !== undefined) accepted.set(id, { rowKey: cell.rowKey, counted });
    return isStored ? undefined : writer.write(cell);
  }
}

const otherInputs = ({ lines, file, line }: Checkpoint, got: string): Error =>
  new Error(
    `expected the inputs of the load that ended, in their order: it had stored ${lines} lines up to line ${line} of ${file}, got ${got}`,
  );
