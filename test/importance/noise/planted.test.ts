import { expect, it } from "vitest";
import { plantedRecall } from "../../../src/importance/noise/planted.js";

const NOISE = Float64Array.of(0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3);
const LABELS = Uint8Array.of(1, 1, 0, 0, 1, 0, 0);

it("sets the threshold that the share of the planted samples reaches", () => {
  const found = plantedRecall(NOISE, LABELS, Uint32Array.of(0, 2, 3, 4, 6), 0.8);
  expect(found).toEqual({
    planted: 5,
    threshold: 0.5,
    flagged: 5,
    recall: [
      { label: 0, planted: 3, recall: 2 / 3 },
      { label: 1, planted: 2, recall: 1 },
    ],
  });
});

it("has no recall for a label that was not planted", () => {
  const { recall, threshold } = plantedRecall(NOISE, LABELS, Uint32Array.of(1), 0.01);
  expect(threshold).toBe(0.8);
  expect(recall[0]).toEqual({ label: 0, planted: 0, recall: null });
});
