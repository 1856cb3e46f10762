// The lines that load exported files with Google's template, and make a release of them.

import { formatGeneration } from '../../shared/domain/generation.ts';
import { TABLES } from '../../shared/domain/keys.ts';
import { nameLine, type Release } from '../../shared/domain/release.ts';
import type { Target } from './target.ts';

/** The Bigtable of a job. */
export interface Destination {
  readonly project: string;
  readonly instance: string;
  readonly region: string;
}

/** Parameters: DataflowTemplates, `v1/README_GCS_Avro_to_Cloud_Bigtable.md`. The template names no app profile. */
export function describeNextSteps(
  target: Target,
  { project, instance, region }: Destination,
  release: Release,
  lists: number,
): string {
  const pattern = target.isCloudStorage ? target.pattern : 'gs://BUCKET/PREFIX/part-*.avro';
  const parameters = [
    `bigtableProjectId=${project}`,
    `bigtableInstanceId=${instance}`,
    `bigtableTableId=${TABLES.recommendations}`,
    `inputFilePattern=${pattern}`,
  ];
  const copy = `Dataflow reads Cloud Storage. Copy the files first, to a prefix without others:\n  gcloud storage cp ${quote(target.pattern)} gs://BUCKET/PREFIX/\n`;
  return `${target.isCloudStorage ? '' : copy}To load them (add --max-workers: 3 CPUs of workers for a node of the cluster):
  gcloud dataflow jobs run ${makeJobName(release)} --project ${project} --region ${region} --gcs-location gs://dataflow-templates-${region}/latest/GCS_Avro_to_Cloud_Bigtable --parameters '${parameters.join(',')}'
Once the job has ended:
  ${adoptCommand(release, String(lists))}
`;
}

export const adoptCommand = (release: Release, lists: string): string =>
  `npx earshot release adopt ${nameLine(release)} --generation ${formatGeneration(release.generation)} --expect-lists ${lists}`;

/** Lower-case letters, digits and `-`. */
const makeJobName = ({ surface, variant, generation }: Release): string =>
  `earshot-${surface}-${variant}-${formatGeneration(generation)
    .toLowerCase()
    .replaceAll(/[^a-z0-9]/g, '-')}`;

/** A glob as the shell expands it, with everything else literal. */
const quote = (pattern: string): string =>
  /^[\w@%+=:,./*-]+$/.test(pattern)
    ? pattern
    : pattern
        .split('*')
        .map((part) => `'${part.replaceAll("'", String.raw`'\''`)}'`)
        .join('*');
