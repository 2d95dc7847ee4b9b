import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { planBatches } from "../../src/ranker/plan.js";

const lengths = fc.array(fc.integer({ min: 2, max: 512 }), { maxLength: 200 });

describe("planBatches", () => {
  it("puts every row into exactly one batch", () => {
    fc.assert(
      fc.property(lengths, fc.integer({ min: 1, max: 4096 }), (rows, tokensMax) => {
        const planned = planBatches(rows, tokensMax).flat();
        expect(planned.sort((a, b) => a - b)).toEqual(rows.map((_, index) => index));
      }),
    );
  });

  it("keeps the padded size of every batch within the budget, unless one row alone passes it", () => {
    fc.assert(
      fc.property(lengths, fc.integer({ min: 1, max: 4096 }), (rows, tokensMax) => {
        for (const batch of planBatches(rows, tokensMax)) {
          const padded = batch.length * Math.max(...batch.map((index) => rows[index] as number));
          expect(batch.length === 1 || padded <= tokensMax).toBe(true);
        }
      }),
    );
  });

  it("groups rows of like length: no batch starts below where the one before it ended", () => {
    fc.assert(
      fc.property(lengths, (rows) => {
        const sorted = planBatches(rows, 1024)
          .flat()
          .map((index) => rows[index] as number);
        expect(sorted).toEqual([...sorted].sort((a, b) => a - b));
      }),
    );
  });
});
