import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    // Engine processes run compiled code: the suite builds before it starts.
    globalSetup: "test/support/build.ts",
    // Only a hang should end a test: machines that build and test are slow at times.
    testTimeout: 120_000,
    hookTimeout: 120_000,
  },
});
