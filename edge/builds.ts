// The builds on the way of reads: the worker's own, and the last one that each region's object and origin named. For
// people only: no code decides by a build.
import type { Counters } from '../shared/runtime/counters.ts';
import type { BuildStatus } from '../shared/wire/edge-status.ts';
import { isFarVersion, MESSAGE_VERSION } from '../shared/wire/message-version.ts';

/** The build that an answer names. None before version 3. */
export interface NamedBuild {
  readonly build: string | null | undefined;
  /** Version of its messages. */
  readonly messages: number;
}

export interface Builds {
  /** Sets the build of the code in this isolate. */
  setOwn(build: string): void;
  own(): string;
  /** Counts a far version. */
  note(part: string, named: NamedBuild): void;
  /** Undefined before the part has answered. */
  find(part: string): BuildStatus | undefined;
  /** The worker first, then by name. */
  all(): BuildStatus[];
}

const UNNAMED = 'unnamed';

export const originPart = (region: string): string => `origin-${region}`;
export const objectPart = (region: string): string => `region-${region}`;

export function createBuilds(counters: Counters): Builds {
  const builds = new Map<string, BuildStatus>();
  let own = UNNAMED;
  return {
    setOwn: (build) => {
      own = build;
    },
    own: () => own,
    note: (part, { build, messages }) => {
      if (isFarVersion(messages)) counters.add('edge_far_messages_total');
      builds.set(part, { part, build: build ?? UNNAMED, messages });
    },
    find: (part) => builds.get(part),
    all: () => [
      { part: 'worker', build: own, messages: MESSAGE_VERSION },
      ...[...builds.values()].sort((a, b) => (a.part < b.part ? -1 : 1)),
    ],
  };
}

/** The tag of this version of the worker, which `wrangler versions upload --tag` sets, or its id. */
export function buildOf(env: object): string {
  const { CF_VERSION_METADATA: version } = env as { CF_VERSION_METADATA?: { id: string; tag?: string } };
  return version?.tag || version?.id || UNNAMED;
}
