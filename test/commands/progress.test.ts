import { describe, expect, it } from "vitest";
import { createProgress, progressLine } from "../../src/commands/progress.js";

describe("progress", () => {
  it.each([
    [
      { total: 1000, done: 250, elapsedS: 25 },
      ` 25% [${"#".repeat(7)}${".".repeat(21)}] 250 of 1,000 samples, 10/s, 1 min 15 s left`,
    ],
    [{ total: 1000, done: 0, elapsedS: 3 }, `  0% [${".".repeat(30)}] 0 of 1,000 samples, 0.0/s`],
    [{ total: null, done: 12_345, elapsedS: 60 }, "12,345 samples, 206/s"],
  ])("says what is left, within 80 columns", (state, line) => {
    expect(progressLine({ what: "", ...state }, 79)).toBe(line);
  });

  it("fits where numbers are large, also without room for a bar", () => {
    const state = { what: "", total: 10_000_000, done: 9_999_999, elapsedS: 400_000 };
    for (const columns of [79, 40, 20])
      expect(progressLine(state, columns).length).toBeLessThanOrEqual(columns);
  });

  it.each([true, false])(
    "of a short command shows nothing in a log and little on a terminal (%s)",
    (isTTY) => {
      const written: string[] = [];
      const progress = createProgress({
        isTTY,
        columns: 80,
        write: (text: string | Uint8Array) => written.push(`${text}`) > 0,
      });
      progress.begin("", 10);
      progress.update(5);
      progress.stop();
      expect(written).toEqual([]);
    },
  );
});
