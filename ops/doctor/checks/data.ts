// Judgements of what Bigtable holds, and of who serves it.
import { systemClock } from '../../../shared/runtime/clock.ts';
import { findTrouble } from '../../manifest/manifest-trouble.ts';
import type { Deployment } from '../deployment.ts';
import type { Facts, TableFacts } from '../examine.ts';
import { allOf, type Finding, failed, skipped } from '../finding.ts';

/** Whether the secrets at hand are there and differ. */
export function checkSecrets({ secrets }: Deployment): readonly Finding[] {
  const check = 'secrets';
  const names = [...secrets.keys()];
  const failures = names.flatMap((name, i) =>
    names
      .slice(i + 1)
      .filter((other) => secrets.get(other) === secrets.get(name))
      .map((other) =>
        failed(
          check,
          `${name} and ${other} are the same`,
          `make another one: \`openssl rand -base64 48\`, then \`npx wrangler secret put ${other}\` (docs/authentication.md)`,
        ),
      ),
  );
  if (names.length === 0)
    return [skipped(check, 'none at hand: EARSHOT_TOKEN_SECRET, EARSHOT_ORIGIN_SECRET, EARSHOT_HASH_KEY')];
  return allOf(check, failures, `${names.join(', ')} differ`);
}

/** Whether tables, garbage collection and app profiles are as they should be. */
export function checkSchema({ schema }: TableFacts): readonly Finding[] {
  const check = 'schema';
  const remedy = 'look at `npx earshot schema check`, then run `npx earshot schema apply`';
  if (schema === undefined) return [skipped(check, 'no clusters: pass --clusters, or set EARSHOT_CLUSTERS')];
  if (schema instanceof Error) return [failed(check, schema.message, 'check the project, the instance and the role')];
  const failures = schema
    .filter(({ done }) => !['unchanged', 'foreign', 'skipped'].includes(done))
    .map(({ what, was = 'none' }) => failed(check, `expected ${what}, got ${was}`, remedy));
  return allOf(check, failures, `${schema.length} tables and app profiles`);
}

/** After a publication every part has this long. */
const BOUND_MS = 12_000;

/** Whether the row is valid, and the edge and each origin serve its newest version. */
export function checkManifest({ table, origins, edge }: Facts): readonly Finding[] {
  const check = 'manifest';
  const { manifests, heartbeats } = table;
  if (manifests instanceof Error) return [failed(check, manifests.message, 'look at `npx earshot schema check`')];
  const [newest] = manifests;
  if (newest === undefined)
    return [failed(check, 'nothing is published', 'load lists, then `npx earshot publish SURFACE/VARIANT`')];
  const trouble = findTrouble(manifests, []);
  const version = newest.manifest?.version;
  if (trouble !== undefined || version === undefined)
    return [failed(check, trouble ?? 'the row has no valid manifest', 'look at `npx earshot manifest show`')];
  const served = [
    { name: 'the edge', version: edge.status?.manifest.version },
    ...(heartbeats instanceof Error ? [] : heartbeats).map((each) => ({
      name: `an origin of ${each.region}`,
      version: each.manifestVersion,
    })),
    ...(origins ?? []).map(({ region, manifest }) => ({
      name: `the origin of ${region}`,
      version: (manifest.json as { version?: number } | undefined)?.version,
    })),
  ];
  const others = served.filter((each) => each.version !== undefined && each.version !== version);
  if (others.length > 0 && systemClock.now() - newest.writtenAtMs < BOUND_MS)
    return [skipped(check, `version ${version} is younger than 12 s: ask again`)];
  const failures = new Map(others.map((each) => [`${each.name} ${each.version}`, each]));
  return allOf(
    check,
    [...failures.values()].map((each) =>
      failed(
        check,
        `${each.name} serves version ${each.version}, and the row has ${version}`,
        'look at the replication of its cluster, and at earshot_origin_manifest_failed_polls of its origins',
      ),
    ),
    `version ${version} everywhere`,
  );
}
