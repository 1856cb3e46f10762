// A secret as a deployment has it: a program that refuses the repository's own secrets accepts this one. In node and in
// workerd.

export const makeRandomSecret = (): string =>
  Array.from(crypto.getRandomValues(new Uint8Array(32)), (byte) => byte.toString(36).padStart(2, '0')).join('');
