// How long a test may take. No test is about that: it depends on what else the machine does. So these only end one that
// hangs.

export const patience = {
  testTimeout: 180_000,
  hookTimeout: 180_000,
  expect: { poll: { timeout: 60_000, interval: 5 } },
};
