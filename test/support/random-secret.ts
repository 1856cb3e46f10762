// A secret as a deployment has it: a program that refuses the repository's own secrets accepts this one.
import { randomBytes } from 'node:crypto';

export const makeRandomSecret = (): string => randomBytes(32).toString('base64url');
