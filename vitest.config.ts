import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    // The end-to-end tests mostly wait for other processes.
    maxWorkers: 3,
    projects: [
      {
        test: {
          name: 'unit',
          include: ['test/**/*.test.ts'],
          exclude: ['test/e2e/**', 'test/model/**', 'test/torture/**'],
          testTimeout: 30_000,
        },
      },
      { test: { name: 'e2e', include: ['test/e2e/**/*.test.ts'], testTimeout: 180_000, hookTimeout: 120_000 } },
      // Searches of the checkpoint protocol's model: they take all the processor there is.
      {
        test: {
          name: 'model',
          include: ['test/model/**/*.test.ts'],
          testTimeout: 600_000,
          sequence: { groupOrder: 1 },
        },
      },
      {
        test: {
          name: 'torture',
          include: ['test/torture/**/*.test.ts'],
          testTimeout: 180_000,
          // After all others: they would be slow beside it, and it would do less in its time.
          sequence: { groupOrder: 2 },
        },
      },
    ],
  },
});
