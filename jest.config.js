export default {
  testEnvironment: 'node',
  extensionsToTreatAsEsm: ['.ts'],
  testMatch: ['<rootDir>/tests/**/*.test.ts'],
  transform: {
    '\\.ts$': [
      '@swc/jest',
      { jsc: { target: 'es2024', parser: { syntax: 'typescript' } }, module: { type: 'es6' } },
    ],
  },
  globalSetup: '<rootDir>/tests/support/global-setup.ts',
  globalTeardown: '<rootDir>/tests/support/global-teardown.ts',
  // Two cores: a second file runs while the first one waits for a deadline.
  maxWorkers: 2,
  // Each file leaves its modules behind in the worker, and a heap of gigabytes is cleaned up more than it is worked with.
  workerIdleMemoryLimit: '700MB',
  testTimeout: 60_000,
}
