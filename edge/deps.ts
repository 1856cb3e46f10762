// The objects that routes need. They live as long as the isolate; assemble.ts creates them.
import type { ByteAccount } from '../shared/runtime/byte-account.ts';
import type { Clock } from '../shared/runtime/clock.ts';
import type { Counters } from '../shared/runtime/counters.ts';
import type { Builds } from './builds.ts';
import type { EdgeConfig } from './config.ts';
import type { Bucket } from './exposures/archive.ts';
import type { ExposureReceiver } from './exposures/receive.ts';
import type { ExposureTokens } from './exposures/tokens.ts';
import type { IdentityVerifier } from './identity/identity.ts';
import type { CallerCosts } from './limits/caller-costs.ts';
import type { Limits } from './limits/limits.ts';
import type { Log } from './log.ts';
import type { ManifestStore } from './manifest/store.ts';
import type { ServeCached, ServeReads } from './reads/serve-reads.ts';
import type { Shadow } from './reads/shadow.ts';
import type { ObjectAnswers } from './region/object-answers.ts';
import type { Reporter } from './report/reporter.ts';
import type { Unreported } from './report/unreported.ts';
import type { OpenTrace } from './request/trace.ts';
import type { RespondLarge } from './respond/large-answer.ts';
import type { Routing } from './upstream/routing.ts';

export interface EdgeDeps {
  readonly limits: Limits;
  readonly costs: CallerCosts;
  readonly config: EdgeConfig;
  readonly clock: Clock;
  readonly counters: Counters;
  readonly builds: Builds;
  readonly inFlight: ByteAccount;
  readonly respondLarge: RespondLarge;
  readonly log: Log;
  readonly identity: IdentityVerifier;
  readonly manifests: ManifestStore;
  /** Undefined without HASH_KEY: answers carry no exposures. */
  readonly exposureTokens: ExposureTokens | undefined;
  /** Undefined without HASH_KEY, or without a queue: no reports are taken. */
  readonly exposures: ExposureReceiver | undefined;
  /** Undefined without a bucket. */
  readonly archive: Bucket | undefined;
  readonly routing: Routing;
  readonly openTrace: OpenTrace;
  readonly unreported: Unreported;
  readonly reporter: Reporter;
  readonly objects: Pick<ObjectAnswers, 'status'>;
  readonly shadow: Pick<Shadow, 'status'>;
  readonly serveReads: ServeReads;
  readonly serveCached: ServeCached;
}
