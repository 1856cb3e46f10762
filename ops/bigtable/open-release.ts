// The publication of a variant that is under way: one row per variant, created by compare-and-set, so two publications
// at once are impossible. It has the plan and the step, so another process can go on with a publication whose process
// is gone. The row says nothing about what is live: the manifest does.
import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import { describeIssues } from '../../shared/domain/describe-issues.ts';
import { isGeneration } from '../../shared/domain/generation.ts';
import { makeOpenRowKey } from '../../shared/domain/keys.ts';
import { type Line, nameLine, nameRelease, type Release } from '../../shared/domain/release.ts';
import { type ControlCell, readControlCell, replaceControlCell } from './control-row.ts';
import type { ControlTable } from './control-table.ts';

export const STEPS = ['replication', 'gate', 'warm', 'canary', 'ramp', 'end'] as const;
export type Step = (typeof STEPS)[number];

const durationMs = z.int().nonnegative();

/** The options of a publication. */
export const planSchema = z.looseObject({
  weight: z.int().optional(),
  /** Moment at which the ramp begins; undefined: after the step before. */
  atMs: z.number().optional(),
  warmMs: durationMs.optional(),
  canary: z.looseObject({ share: z.number(), soakMs: durationMs }).optional(),
  /** Names of regions in their order, and the time between two. */
  regions: z.array(z.string()).optional(),
  betweenMs: durationMs.optional(),
  /** `auto`: as long as lists usually stay in the caches of the regions. */
  ramp: z.union([durationMs, z.literal('auto')]).optional(),
  /** Whether to wait for the lists in every region, and for how long. */
  waitMs: durationMs.optional(),
  isWaiting: z.boolean().default(true),
  accepted: z.array(z.string()).default([]),
  checkCommand: z.string().optional(),
  guardCommand: z.string().optional(),
  why: z.string().optional(),
});

export type Plan = z.infer<typeof planSchema>;

const openSchema = z.looseObject({
  format: z.int().positive().default(1),
  generation: z.number().refine(isGeneration),
  /** Id of the process that runs it. */
  owner: z.string(),
  by: z.string(),
  sinceMs: z.number(),
  step: z.enum(STEPS),
  /** When the step began. */
  stepSinceMs: z.number(),
  plan: planSchema,
});

export type OpenRelease = z.infer<typeof openSchema>;

export interface StoredOpen extends OpenRelease {
  readonly cell: ControlCell;
}

const keyOf = ({ surface, variant }: Line): string => makeOpenRowKey(surface, variant);

/** Undefined if no publication of the variant is under way. Throws an EarshotError. */
export async function readOpen(control: ControlTable, line: Line): Promise<StoredOpen | undefined> {
  const cell = await readControlCell(control, keyOf(line));
  if (cell === undefined) return undefined;
  const parsed = openSchema.safeParse(parseJson(cell.value.toString('utf8')));
  if (parsed.success) return { ...parsed.data, cell };
  throw new Error(`expected the row ${keyOf(line)} to be an open publication: ${describeIssues(parsed.error)}`);
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** The publication, held by this process. */
export interface HeldOpen {
  readonly release: Release;
  current(): OpenRelease;
  /** Records the step. Throws an Error if another process has taken the publication over, or has ended it. */
  setStep(step: Step): Promise<void>;
  /** Writes the row again, so that metrics see its process. Never rejects: `setStep` tells of a loss. */
  renew(): Promise<void>;
  /** The end of the publication. Throws as `setStep`. */
  close(): Promise<void>;
}

export interface Beginning {
  readonly release: Release;
  readonly by: string;
  readonly plan: Plan;
}

/** Throws an Error that names the publication under way. */
export async function beginOpen(control: ControlTable, { release, by, plan }: Beginning): Promise<HeldOpen> {
  const nowMs = control.retries.clock.now();
  const known = await readOpen(control, release);
  if (known !== undefined) throw new Error(describeOpen(release, known));
  const open: OpenRelease = {
    ...{ format: 1, generation: release.generation, owner: randomUUID(), by, sinceMs: nowMs },
    ...{ step: 'replication', stepSinceMs: nowMs, plan },
  };
  const cell = await replace(control, release, undefined, open);
  if (cell !== undefined) return hold(control, release, open, cell);
  const other = await readOpen(control, release);
  throw new Error(
    other === undefined ? 'another publication began and ended: try again' : describeOpen(release, other),
  );
}

/** Takes a publication over from its process. Throws an Error if none is under way. */
export async function resumeOpen(control: ControlTable, line: Line, by: string): Promise<HeldOpen> {
  const known = await readOpen(control, line);
  if (known === undefined) throw new Error(`expected an open publication of ${nameLine(line)} to resume, got none`);
  const { cell, ...open } = known;
  const own = { ...open, owner: randomUUID(), by };
  const release = { ...line, generation: open.generation };
  const taken = await replace(control, line, cell, own);
  if (taken === undefined) throw new Error(`another process changed the publication of ${nameRelease(release)}`);
  return hold(control, release, own, taken);
}

/** Ends a publication for its process, which notices at its next step. Returns it; undefined if none is under way. */
export async function endOpen(control: ControlTable, line: Line): Promise<OpenRelease | undefined> {
  for (;;) {
    const known = await readOpen(control, line);
    if (known === undefined) return undefined;
    if ((await replace(control, line, known.cell, undefined)) !== undefined) return known;
  }
}

export function describeOpen(line: Line, { generation, by, sinceMs, step }: OpenRelease): string {
  const name = nameRelease({ ...line, generation });
  const since = new Date(sinceMs).toISOString();
  return `the publication of ${name} is open since ${since} (${by}, step ${step}): \`npx earshot publish ${name} --resume\` goes on with it, \`npx earshot rollback ${nameLine(line)} --why TEXT\` ends it`;
}

function hold(control: ControlTable, release: Release, first: OpenRelease, firstCell: ControlCell): HeldOpen {
  let open = first;
  let cell = firstCell;
  let writing: Promise<unknown> = Promise.resolve();
  /** One write after the other: each replaces the cell of the one before. */
  const write = (make: () => OpenRelease | undefined): Promise<boolean> => {
    const written = writing.then(async () => {
      const next = make();
      const replaced = await replace(control, release, cell, next);
      if (replaced === undefined) return false;
      cell = replaced;
      if (next !== undefined) open = next;
      return true;
    });
    writing = written.catch(() => undefined);
    return written;
  };
  const lost = `another process took the publication of ${nameRelease(release)} over, or ended it`;
  return {
    release,
    current: () => open,
    setStep: async (step) => {
      const nowMs = control.retries.clock.now();
      const isWritten = await write(() => ({
        ...open,
        step,
        stepSinceMs: step === open.step ? open.stepSinceMs : nowMs,
      }));
      if (!isWritten) throw new Error(lost);
    },
    renew: async () => {
      await write(() => open).catch(() => undefined);
    },
    close: async () => {
      if (!(await write(() => undefined))) throw new Error(lost);
    },
  };
}

async function replace(
  control: ControlTable,
  line: Line,
  read: ControlCell | undefined,
  next: OpenRelease | undefined,
): Promise<ControlCell | undefined> {
  const value = next === undefined ? undefined : Buffer.from(JSON.stringify(next));
  const what = 'the compare-and-set of the open publication';
  const writtenAtMs = await replaceControlCell(control, { rowKey: keyOf(line), read, value, what });
  return writtenAtMs === undefined ? undefined : { value: value ?? Buffer.alloc(0), writtenAtMs };
}
