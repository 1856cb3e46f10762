// Time limits of tests. They only end a hanging test; no assertion depends on the speed of the machine.

export const patience = {
  testTimeout: 180_000,
  hookTimeout: 180_000,
  expect: { poll: { timeout: 60_000, interval: 5 } },
};
