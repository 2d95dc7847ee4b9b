import { defineConfig } from "vitest/config";

/** What measures time under load: one file after another, with nothing beside them. */
const ALONE = [
  "test/system/{attacks,overload,timing,hung-store,large-datasets}.test.ts",
  "test/http/{timing,stream-turns}.test.ts",
];

const shared = {
  // Only a hang should end a test: machines that build and test are slow at times.
  testTimeout: 300_000,
  hookTimeout: 300_000,
  expect: { poll: { timeout: 60_000 } },
};

export default defineConfig({
  test: {
    // Engine processes run compiled code: the suite builds before it starts.
    globalSetup: "test/support/build.ts",
    projects: [
      {
        test: {
          ...shared,
          name: "beside",
          // Not `exclude`, which would take the place of the command line's.
          include: ["test/**/*.test.ts", ...ALONE.map((pattern) => `!${pattern}`)],
          sequence: { groupOrder: 0 },
        },
      },
      {
        test: {
          ...shared,
          name: "alone",
          include: ALONE,
          fileParallelism: false,
          sequence: { groupOrder: 1 },
        },
      },
    ],
  },
});
