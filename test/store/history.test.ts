import { expect, it } from "vitest";
import { CHECKPOINTS_MAX } from "../../src/store/dataset-records.js";
import { placeCheckpoint } from "../../src/store/history.js";

it("a dataset has room for so many checkpoints and takes the known ones when it is full", () => {
  const known = Array.from({ length: CHECKPOINTS_MAX }, (_, step) => ({ name: `e${step}`, step }));
  const last = { name: "last", step: 7 };
  expect(placeCheckpoint(known.slice(1), last)).toMatchObject({ number: CHECKPOINTS_MAX - 1 });
  expect(placeCheckpoint(known, { name: "e5", step: 5 })).toEqual({ checkpoints: known, number: 5 });
  expect(() => placeCheckpoint(known, last)).toThrow(expect.objectContaining({ code: "checkpoints_full" }));
});
