// All checks, in the order in which a fault should be repaired: a later one may follow from an earlier one.
import { checkManifest, checkSchema, checkSecrets } from './checks/data.ts';
import { checkBuilds, checkEdge, checkRead, checkRegions, checkToken } from './checks/edge.ts';
import { checkObjects } from './checks/objects.ts';
import { checkAccess, checkClocks, checkHeartbeats, checkOrigins, describeBuilds } from './checks/origins.ts';
import type { Deployment } from './deployment.ts';
import type { Facts } from './examine.ts';
import type { Finding } from './finding.ts';

export function diagnose(deployment: Deployment, facts: Facts): readonly Finding[] {
  const { edge, origins, table } = facts;
  const regions = deployment.origins?.regions.map(({ name }) => name) ?? edge.status?.regions.map(({ name }) => name);
  return [
    checkEdge(deployment, edge),
    ...checkSecrets(deployment),
    checkToken(deployment, edge),
    ...checkClocks(edge.health, origins),
    ...checkSchema(table),
    ...checkOrigins(origins),
    ...checkAccess(origins),
    ...checkHeartbeats(table, regions),
    ...checkManifest(facts),
    ...checkRegions(edge),
    ...checkRead(edge),
    ...checkObjects(deployment, edge),
    ...checkBuilds(edge),
    describeBuilds(table),
  ];
}
