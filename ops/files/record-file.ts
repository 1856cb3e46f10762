// A file of records that a command writes, in one of the formats that a load reads.

export interface RecordFile {
  add(record: object): Promise<void>;
  /** From now on the file is there. */
  end(): Promise<void>;
  /** The file is not made. */
  abandon(): Promise<void>;
}
