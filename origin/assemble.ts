// The composition root of a process: builds each long-lived object once. Nothing listens or polls yet.
import { EMPTY_MANIFEST } from '../shared/domain/manifest.ts';
import { type Counters, createCounters } from '../shared/runtime/counters.ts';
import { systemRandom } from '../shared/runtime/random.ts';
import { assembleReaders, type Basis, makeRouteDeps, type OriginSurroundings } from './assemble-readers.ts';
import { connectBigtable } from './bigtable/connection.ts';
import { readDocument } from './bigtable/document-row.ts';
import { createLocalCluster } from './bigtable/local-cluster.ts';
import { createManifestRead } from './bigtable/manifest-read.ts';
import { readOpenPublications } from './bigtable/open-publications.ts';
import { createRecommendationTable, type RecommendationTable } from './bigtable/recommendation-table.ts';
import { nameBuild } from './build.ts';
import type { OriginConfig } from './config.ts';
import { assembleHeartbeat } from './heartbeat/assemble-heartbeat.ts';
import type { HeartbeatLoop } from './heartbeat/heartbeat-loop.ts';
import { createResidences } from './heartbeat/residences.ts';
import { createApp, logFailure } from './http/app.ts';
import { createAppListener, type Listener } from './http/app-listener.ts';
import { CallerRefused, createRefusalLog } from './http/caller-refused.ts';
import { createListsRoute, isListsRead } from './http/lists-read.ts';
import { createMetricsApp } from './http/metrics-app.ts';
import { createOwnHeaders } from './http/own-headers.ts';
import { describeRequest } from './http/request-id.ts';
import { createCallerVerifier } from './http/verify-caller.ts';
import { createDocuments, type Documents } from './manifest/documents.ts';
import { createManifestPoller, type ManifestPoller } from './manifest/poller.ts';
import { createReleaseWatch, type ReleaseWatch } from './manifest/release-watch.ts';
import { liveAgesOf } from './metrics/live-ages.ts';
import { createMetrics, type MetricsState } from './metrics/metrics.ts';
import { observeCalls } from './metrics/observe-calls.ts';

export interface OriginParts {
  readonly table: RecommendationTable;
  readonly manifests: ManifestPoller;
  readonly heartbeat: HeartbeatLoop;
  readonly releases: ReleaseWatch;
  readonly counters: Counters;
  /** Serves the edge, and health checks. */
  readonly listener: Listener;
  /** Serves the port of the metrics. */
  readonly metricsListener: Listener;
  close(): Promise<void>;
}

export interface Lifecycle {
  readonly isDraining: () => boolean;
  /** The reason for which the connections to Bigtable could not be primed; undefined before a failure. */
  readonly whyCold: () => string | undefined;
}

export function assembleOrigin(
  config: OriginConfig,
  surroundings: OriginSurroundings,
  { isDraining, whyCold }: Lifecycle,
): OriginParts {
  const { clock } = surroundings;
  const counters = createCounters();
  // Read at a scrape, after everything is assembled.
  const state = (): MetricsState => ({
    ...readers.state(),
    isLocalClusterUp: bigtable.localCluster.isUp(),
    manifestVersion: manifests.latest()?.manifest.version ?? 0,
    manifestFailedPolls: manifests.failedPolls(),
    openReleases: releases.open(),
    liveAges: liveAgesOf(manifests.latest()?.manifest ?? EMPTY_MANIFEST, clock.now()),
    degradedRegions: releases.degraded(),
  });
  const metrics = createMetrics({ region: config.region, counters, state });
  const basis: Basis = { ...surroundings, config, counters, metrics };
  const bigtable = assembleBigtable(basis);
  const { table, localCluster } = bigtable;
  // Commands wait for the new version: its heartbeat is written at once.
  const onChange = (): void => void heartbeat.beat();
  const documents = assembleDocuments(basis, bigtable);
  const manifests = assembleManifests(basis, bigtable, documents, onChange);
  const releases = assembleReleaseWatch(basis, bigtable, manifests);
  const readers = assembleReaders(basis, table, manifests);
  const residences = createResidences();
  const heartbeat = assembleHeartbeat({
    ...basis,
    bigtable: bigtable.connection,
    localCluster,
    manifestVersion: () => manifests.latest()?.manifest.version ?? 0,
    cohorts: readers.cohorts,
    residenceMs: residences.medianMs,
    isDraining,
  });
  const verifyCaller = createCallerVerifier({ secrets: config.originSecrets, region: config.region, clock });
  const onError = makeOnError(basis);
  const ownHeaders = createOwnHeaders(nameBuild(config.build));
  const readLists = createListsRoute({
    ...makeRouteDeps(basis, readers),
    ownHeaders,
    onResidence: residences.record,
    onError: (thrown, error, { headers }) => onError(thrown, error, describeRequest(headers)),
    verifyCaller,
    isDraining,
    isLocalClusterUp: localCluster.isUp,
  });
  const { addEdgeReport } = metrics;
  const appDeps = {
    addEdgeReport,
    manifests,
    documents,
    isWarm: table.isWarm,
    whyCold,
    isDraining,
    onError,
    ownHeaders,
  };
  const serveApp = createAppListener(createApp({ ...appDeps, verifyCaller }), appDeps);
  const metricsApp = createMetricsApp({ ...appDeps, exposeMetrics: metrics.expose });

  return {
    table,
    manifests,
    heartbeat,
    releases,
    counters,
    listener: (request, response) => {
      if (isListsRead(request)) readLists(request, response);
      else serveApp(request, response);
    },
    metricsListener: createAppListener(metricsApp, appDeps),
    close: async () => {
      manifests.stop();
      releases.stop();
      await heartbeat.stop();
      await Promise.all([bigtable.connection.close(), table.close(), surroundings.tracing?.close()]);
    },
  };
}

/** Logs the failure of a request. A refused caller is counted, and logged at most once in a while. */
function makeOnError({ clock, logger, counters }: Basis): ReturnType<typeof logFailure> {
  const fail = logFailure(logger);
  const logRefused = createRefusalLog({ clock, logger, counters });
  return (thrown, error, about) => {
    if (error instanceof CallerRefused) logRefused(error);
    else fail(thrown, error, about);
  };
}

function assembleBigtable({ config, clock, logger, counters, metrics }: Basis) {
  const { appProfile, hedgeProfile } = config;
  const localCluster = createLocalCluster({
    clock,
    random: systemRandom,
    onChange: (isUp) => {
      if (!isUp) counters.add('origin_ejections_total');
      const profiles = { appProfile, otherProfile: hedgeProfile };
      if (isUp) logger.info(profiles, 'the local cluster is available and read again');
      else logger.warn(profiles, 'the local cluster is ejected; all reads go through the other app profile');
    },
  });
  const table = createRecommendationTable({
    address: config.bigtable,
    appProfile,
    hedgeProfile,
    localCluster,
    channels: config.channels,
    callsPerBatchKey: config.callsPerBatchKey,
    listMaxAgeMs: config.listMaxAgeMs,
    clock,
    observerOf: (name) => observeCalls(name, counters, metrics),
    onError: (err) => logger.warn({ err }, 'Bigtable failed'),
  });
  return { connection: connectBigtable(config.bigtable), localCluster, table };
}

function assembleDocuments(
  { config }: Basis,
  { connection, localCluster }: ReturnType<typeof assembleBigtable>,
): Documents {
  const { appProfile, hedgeProfile = appProfile, readTimeoutMs } = config;
  return createDocuments((name) =>
    readDocument(connection, localCluster.isUp() ? appProfile : hedgeProfile, name, readTimeoutMs),
  );
}

function assembleManifests(
  { config, clock, logger, counters }: Basis,
  { connection, localCluster }: ReturnType<typeof assembleBigtable>,
  documents: Documents,
  onChange: () => void,
): ManifestPoller {
  const { appProfile, hedgeProfile: otherProfile, readTimeoutMs: timeoutMs } = config;
  const readManifest = createManifestRead({ bigtable: connection, appProfile, otherProfile, localCluster, timeoutMs });
  return createManifestPoller({
    read: async () => {
      const { manifest, cell } = await readManifest();
      return {
        manifest: await documents.hold(manifest),
        json: cell === undefined ? JSON.stringify(manifest) : cell.json.toString('utf8'),
      };
    },
    intervalMs: config.manifestPollMs,
    clock,
    counters,
    onChange,
    onError: (err) => logger.warn({ err }, 'the manifest could not be read'),
  });
}

function assembleReleaseWatch(
  { config, clock, logger }: Basis,
  { connection, localCluster }: ReturnType<typeof assembleBigtable>,
  manifests: ManifestPoller,
): ReleaseWatch {
  const { appProfile, hedgeProfile = appProfile, readTimeoutMs } = config;
  return createReleaseWatch({
    read: () => readOpenPublications(connection, localCluster.isUp() ? appProfile : hedgeProfile, readTimeoutMs),
    manifest: () => manifests.latest()?.manifest ?? EMPTY_MANIFEST,
    clock,
    onMarkEnded: (region) =>
      logger.warn(
        { markedRegion: region },
        'the mark of a degraded region has ended by itself: the region takes traffic again, restored or not',
      ),
    onError: (err) => logger.debug({ err }, 'the open publications could not be read'),
  });
}
