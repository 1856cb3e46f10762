// Parsing of resource names: projects/P/instances/I[/tables/T | /clusters/C | /appProfiles/A].
import { invalidArgument } from './status.ts';

const INSTANCE = /^projects\/[^/]+\/instances\/[^/]+$/;
const CHILD = /^(projects\/[^/]+\/instances\/[^/]+)\/(tables|clusters|appProfiles)\/([^/]+)$/;

export function checkInstanceName(name: string): string {
  if (!INSTANCE.test(name)) throw invalidArgument(`When parsing '${name}' : Invalid instance name`);
  return name;
}

/** The instance's name and the child's id. Throws INVALID_ARGUMENT for a name that is not a `kind` of an instance. */
export function splitName(name: string, kind: 'tables' | 'clusters' | 'appProfiles'): { instance: string; id: string } {
  const match = CHILD.exec(name);
  if (match === null || match[2] !== kind) {
    throw invalidArgument(`When parsing '${name}' : expected projects/PROJECT/instances/INSTANCE/${kind}/ID`);
  }
  return { instance: match[1] ?? '', id: match[3] ?? '' };
}
