// The SQL that exports a table of BigQuery to Bigtable, with the cells that a load of the same lists would write.
// Source: BigQuery, "Export data to Bigtable (reverse ETL)".
import { APP_PROFILES } from '../../origin/bigtable/app-profiles.ts';
import { FAMILIES, makeListQualifier, TABLES } from '../../shared/domain/keys.ts';
import { nameRelease, type Release } from '../../shared/domain/release.ts';
import { formatPercentage } from '../ingest/reject-share.ts';
import { LIST_BODY, ROW_KEY_BODY } from './bigquery-functions.ts';
import { adoptCommand, type Destination } from './next-steps.ts';

/** `PROJECT.DATASET.TABLE`, of characters that need no escape between backticks. */
export type Table = string;

const TABLE = /^([a-z][a-z0-9.-]{0,61}:)?[a-z][a-z0-9-]{1,61}\.[A-Za-z0-9_]{1,1024}\.[A-Za-z0-9_-]{1,1024}$/;

export const parseTable = (text: string): Table | undefined => (TABLE.test(text) ? text : undefined);

/** A script for `bq query`: checks, the export, and a last row with the line that makes a release of it. */
export const makeExportSql = (table: Table, to: Destination, release: Release, maxRejectShare: number): string =>
  `${header(table, release)}
DECLARE lists, table_rows INT64;

CREATE TEMP FUNCTION earshot_row_key(user STRING) RETURNS STRING DETERMINISTIC LANGUAGE js AS r"""${ROW_KEY_BODY}""";

CREATE TEMP FUNCTION earshot_list(items ARRAY<STRUCT<id STRING, score FLOAT64>>) RETURNS STRING DETERMINISTIC LANGUAGE js AS r"""${LIST_BODY}""";

SET (lists, table_rows) = (
  SELECT AS STRUCT COUNT(DISTINCT IF(l IS NULL, NULL, rowkey)), COUNT(*)
  FROM (${cellsOf(table)})
);
ASSERT lists > 0 AND table_rows - lists <= ${maxRejectShare} * table_rows
  AS 'expected at least one valid list, and at most ${formatPercentage(maxRejectShare)} % of the rows to be invalid or of a user with another row';

EXPORT DATA OPTIONS (
  uri = '${makeUri(to)}',
  format = 'CLOUD_BIGTABLE',
  overwrite = true,
  bigtable_options = '''${makeOptions(release)}'''
) AS
SELECT rowkey, l, TIMESTAMP_MILLIS(${release.generation}) AS _CHANGE_TIMESTAMP
FROM (${cellsOf(table)})
WHERE rowkey IS NOT NULL AND l IS NOT NULL
QUALIFY ROW_NUMBER() OVER (PARTITION BY rowkey ORDER BY l) = 1;

SELECT lists, table_rows - lists AS rejects, FORMAT('${adoptCommand(release, '%d')}', lists) AS then_run;
`;

/** A result column has the name of its family. A null in it would delete the user's earlier lists. */
const cellsOf = (table: Table): string =>
  `SELECT earshot_row_key(user) AS rowkey, earshot_list(items) AS ${FAMILIES.lists} FROM \`${table}\``;

const makeUri = ({ project, instance }: Destination): string =>
  `https://bigtable.googleapis.com/projects/${project}/instances/${instance}/appProfiles/${APP_PROFILES.ingest}/tables/${TABLES.recommendations}`;

const makeOptions = ({ surface, variant }: Release): string =>
  JSON.stringify({
    columnFamilies: [
      {
        familyId: FAMILIES.lists,
        encoding: 'TEXT',
        columns: [{ qualifierString: makeListQualifier(surface, variant), fieldName: '' }],
      },
    ],
  });

const header = (table: Table, release: Release): string => `-- Exports ${table} to Bigtable as ${nameRelease(release)}.
-- The table has the columns user STRING and items ARRAY<STRUCT<id STRING, score FLOAT64>>, the best item first.
-- It needs BigQuery's edition Enterprise or Enterprise Plus, and a dataset where the cluster of the app profile
-- ${APP_PROFILES.ingest} is. overwrite allows a table that is not empty: cells of other generations stay. Never add truncate.
-- The Dataflow template BigQuery_to_Bigtable cannot write these cells: it names a column of Bigtable like one of
-- BigQuery, and no column of BigQuery is named ${makeListQualifier(release.surface, release.variant)}.
-- Without that edition, export to Cloud Storage and load the files:
--   bq extract --destination_format=AVRO --compression=DEFLATE '${toLegacy(table)}' 'gs://BUCKET/PREFIX/*.avro'
--   npx earshot ingest 'gs://BUCKET/PREFIX/*.avro' --surface ${release.surface} --variant ${release.variant} --generation ${new Date(release.generation).toISOString()}
`;

/** `PROJECT:DATASET.TABLE`, as \`bq extract\` names a table. */
const toLegacy = (table: Table): string => table.replace(/\.(?=[^.]*\.[^.]*$)/, ':');
