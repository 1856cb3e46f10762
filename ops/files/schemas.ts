// The Avro schemas of lists and of Google's Dataflow templates.

/** A user's list. `id` and `items` are as in a line of JSON. */
export const LIST_SCHEMA = {
  type: 'record',
  name: 'List',
  namespace: 'earshot',
  fields: [
    { name: 'user', type: 'string' },
    {
      name: 'items',
      type: {
        type: 'array',
        items: {
          type: 'record',
          name: 'Item',
          fields: [
            { name: 'id', type: 'string' },
            { name: 'score', type: 'double' },
          ],
        },
      },
    },
  ],
} as const;

/**
 * A row of Bigtable. Source: GoogleCloudPlatform/DataflowTemplates, `bigtable.avsc`, which the templates
 * GCS_Avro_to_Cloud_Bigtable and GCS_Parquet_to_Cloud_Bigtable read.
 */
export const BIGTABLE_ROW_SCHEMA = {
  type: 'record',
  name: 'BigtableRow',
  namespace: 'com.google.cloud.teleport.bigtable',
  fields: [
    { name: 'key', type: 'bytes' },
    {
      name: 'cells',
      type: {
        type: 'array',
        items: {
          type: 'record',
          name: 'BigtableCell',
          fields: [
            { name: 'family', type: 'string' },
            { name: 'qualifier', type: 'bytes' },
            { name: 'timestamp', type: 'long', logicalType: 'timestamp-micros' },
            { name: 'value', type: 'bytes' },
          ],
        },
      },
    },
  ],
} as const;
