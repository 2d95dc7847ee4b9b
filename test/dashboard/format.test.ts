import { describe, expect, it } from "vitest";
import {
  formatBytes,
  formatCount,
  formatNumber,
  formatSeconds,
  formatShare,
  formatTime,
} from "../../dashboard/src/format.js";

describe("numbers on the dashboard", () => {
  it.each([
    [0, "0"],
    [0.123456, "0.1235"],
    [-4.140625, "−4.141"],
    [16.921846, "16.92"],
    [123.456, "123.5"],
    [0.000012345, "1.23e−5"],
    [12_345_678, "1.23e+7"],
    [null, "–"],
  ])("%s is shown as %s", (value, text) => {
    expect(formatNumber(value)).toBe(text);
  });

  it("have units that fit them", () => {
    expect([0, 999, 425_861_120, 1.5e12].map(formatBytes)).toEqual(["0 B", "999 B", "426 MB", "1.5 TB"]);
    expect([0.0000421, 0.0042, 0.25, 12, 600, 90_000, 400_000].map(formatSeconds)).toEqual([
      "42 µs",
      "4.2 ms",
      "250 ms",
      "12.0 s",
      "10 min",
      "25 h",
      "5 days",
    ]);
    expect([0, 0.012, 0.5, 1, null].map(formatShare)).toEqual(["0%", "1.2%", "50%", "100%", "–"]);
    expect(formatCount(1_234_567)).toBe("1,234,567");
    expect(formatTime("2026-12-01T00:01:30.355Z")).toBe("2026-12-01 00:01 UTC");
  });
});
