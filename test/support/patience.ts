// How long a test may take. No test is about that: on a machine that others use too the same test takes ten times as long on one day as on
// another. So these only end one that hangs.

export const patience = {
  testTimeout: 180_000,
  hookTimeout: 180_000,
  expect: { poll: { timeout: 60_000, interval: 5 } },
};
