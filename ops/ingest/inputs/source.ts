// One input of a load: a file, standard input, or an object of Cloud Storage.

export interface Source {
  /** As messages name it. */
  readonly name: string;
  /** Without its directory, for the file of rejects. */
  readonly shortName: string;
  /** In bytes. 0 for an input whose end is not known. */
  readonly size: number;
  /** The bytes from the start. */
  open(): AsyncIterable<Buffer>;
  /** Ends the reading at once, also while the next bytes are awaited. */
  readonly close?: () => void;
  /** The bytes from `start` to before `end`. Undefined for an input that can be read once only, such as a pipe. */
  readonly readRange?: (start: number, end: number) => Promise<Buffer>;
}

/** All bytes of the inputs. Undefined if the end of one is not known. */
export const sizeOf = (sources: readonly Source[]): number | undefined =>
  sources.every(({ readRange }) => readRange !== undefined)
    ? sources.reduce((sum, { size }) => sum + size, 0)
    : undefined;
