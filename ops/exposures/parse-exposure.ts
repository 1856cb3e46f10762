// One line of NDJSON as an exposure.
import { describeIssues } from '../../shared/domain/describe-issues.ts';
import { type ArchivedExposure, archivedExposureSchema } from '../../shared/domain/experiments/archive.ts';

/** Throws an Error that begins with `place`, for example `FILE:LINE`. */
export function parseExposure(text: string, place: string): ArchivedExposure {
  const parsed = archivedExposureSchema.safeParse(parseJson(text, place));
  if (parsed.success) return parsed.data;
  throw new Error(`${place} is no exposure: ${describeIssues(parsed.error)}`);
}

function parseJson(text: string, place: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new Error(`${place} is no exposure: ${(error as Error).message}`);
  }
}
