// Asynchronous replication within one instance. Each cluster appends its commits to its log. Every other cluster
// applies that log in order, `lagMs` after each commit, with a cursor of its own. Uses at most one timer per pair of
// clusters and truncates a log behind its slowest reader.
// Concurrent writes to one cell with one timestamp in two clusters may stay different. Earshot writes to one cluster at
// a time.
import type { Clock } from '../../../shared/runtime/clock.ts';
import { applyToPacked } from '../mutations/apply-mutations.ts';
import type { RowMutation } from '../mutations/mutations.ts';
import type { PackedRow } from '../rows/packed-row.ts';
import { rowsOf, type Table } from '../rows/table.ts';

export interface Commit {
  readonly table: Table;
  readonly key: string;
  readonly mutations: readonly RowMutation[];
  /**
   * The row in the source before and after the commit. A cluster with the same `before` shares `after` as its result.
   */
  readonly before: PackedRow | undefined;
  readonly after: PackedRow | undefined;
  readonly committedAtMs: number;
  /** Set if an administrator dropped the rows before every cluster applied the commit. */
  cancelled?: boolean;
}

/** Shared by all instances of a server and changeable while it runs. */
export interface ReplicationSettings {
  lagMs: number;
  /** Clusters without replication: they neither send nor receive writes until replication resumes. */
  readonly stopped: Set<string>;
}

interface Link {
  readonly source: string;
  readonly target: string;
  /** Number of the next commit of the source to apply. */
  cursor: number;
  cancelTimer: (() => void) | undefined;
}

interface Log {
  commits: Commit[];
  /** Number of `commits[0]`, counted from the source's first commit. */
  firstNumber: number;
  readonly links: Link[];
}

/** A backlog is applied in turns of this many rows, so that calls are answered between them. */
const COMMITS_PER_TURN = 200;

export class Replicator {
  readonly #logs: ReadonlyMap<string, Log>;
  readonly #settings: ReplicationSettings;
  readonly #clock: Clock;

  constructor(clusters: readonly string[], settings: ReplicationSettings, clock: Clock) {
    this.#settings = settings;
    this.#clock = clock;
    this.#logs = new Map(
      clusters.map((source) => {
        const targets = clusters.filter((target) => target !== source);
        const links = targets.map((target): Link => ({ source, target, cursor: 0, cancelTimer: undefined }));
        return [source, { commits: [], firstNumber: 0, links }];
      }),
    );
  }

  /** Call immediately after `source` has applied the commit. */
  append(source: string, commit: Commit): void {
    const log = this.#logOf(source);
    log.commits.push(commit);
    for (const link of log.links) {
      if (this.#settings.lagMs === 0 && !this.#isStopped(link)) this.#apply(log, link, Number.POSITIVE_INFINITY);
      else this.#schedule(log, link);
    }
    cut(log);
  }

  /** Cancels pending commits for the table's keys from `low` up to but not including `high`. */
  cancel(table: Table, low: string, high: string | undefined): void {
    for (const { commits } of this.#logs.values()) {
      for (const commit of commits) {
        if (commit.table === table && commit.key >= low && (high === undefined || commit.key < high))
          commit.cancelled = true;
      }
    }
  }

  /** The number of commits of each cluster so far. */
  positions(): Record<string, number> {
    return Object.fromEntries([...this.#logs].map(([source, log]) => [source, endOf(log)]));
  }

  /** Whether every cluster has applied the commits of all others up to `positions`. */
  hasReached(positions: Readonly<Record<string, number>>): boolean {
    return [...this.#logs].every(([source, log]) => log.links.every((link) => link.cursor >= (positions[source] ?? 0)));
  }

  /** Number of writes that the cluster has not applied yet. */
  pendingTo(target: string): number {
    let pending = 0;
    for (const log of this.#logs.values()) {
      for (const link of log.links) if (link.target === target) pending += endOf(log) - link.cursor;
    }
    return pending;
  }

  /** Call after every change of the settings. */
  reschedule(): void {
    for (const log of this.#logs.values()) {
      for (const link of log.links) {
        this.#unschedule(link);
        this.#schedule(log, link);
      }
    }
  }

  close(): void {
    for (const log of this.#logs.values()) for (const link of log.links) this.#unschedule(link);
  }

  #schedule(log: Log, link: Link): void {
    const next = log.commits[link.cursor - log.firstNumber];
    if (next === undefined || link.cancelTimer !== undefined || this.#isStopped(link)) return;
    const delayMs = Math.max(0, next.committedAtMs + this.#settings.lagMs - this.#clock.now());
    link.cancelTimer = this.#clock.setTimeout(() => {
      link.cancelTimer = undefined;
      this.#apply(log, link, COMMITS_PER_TURN);
      cut(log);
      this.#schedule(log, link);
    }, delayMs);
  }

  #unschedule(link: Link): void {
    link.cancelTimer?.();
    link.cancelTimer = undefined;
  }

  /** Applies due commits, at most `limit`. */
  #apply(log: Log, link: Link, limit: number): void {
    const dueUntilMs = this.#clock.now() - this.#settings.lagMs;
    for (let applied = 0; applied < limit; applied++) {
      const commit = log.commits[link.cursor - log.firstNumber];
      if (commit === undefined || commit.committedAtMs > dueUntilMs) return;
      link.cursor++;
      if (commit.cancelled) continue;
      const rows = rowsOf(commit.table, link.target);
      const current = rows.getPacked(commit.key);
      const isSame = current === commit.before && !commit.mutations.some(isForDroppedFamily);
      rows.setPacked(commit.key, isSame ? commit.after : applyToPacked(current, commit.mutations));
    }
  }

  #isStopped({ source, target }: Link): boolean {
    return this.#settings.stopped.has(source) || this.#settings.stopped.has(target);
  }

  #logOf(source: string): Log {
    const log = this.#logs.get(source);
    if (log === undefined)
      throw new Error(`expected the cluster to be one of ${[...this.#logs.keys()].join(', ')}, got '${source}'`);
    return log;
  }
}

function isForDroppedFamily(mutation: RowMutation): boolean {
  return mutation.kind !== 'delete-row' && mutation.family.dropped;
}

function endOf(log: Log): number {
  return log.firstNumber + log.commits.length;
}

/**
 * Truncates commits that every cluster has applied. A long log is cut only when half of it is applied, to keep the cost
 * per commit low.
 */
function cut(log: Log): void {
  const done = Math.min(...log.links.map((link) => link.cursor), endOf(log)) - log.firstNumber;
  if (done < log.commits.length && (done < 1024 || done < log.commits.length / 2)) return;
  log.commits = log.commits.slice(done);
  log.firstNumber += done;
}
