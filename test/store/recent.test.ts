import { expect, it } from "vitest";
import { openRecent } from "../../src/store/recent.js";

it("forgets what was used longest ago once all weighs too much, and never the newest", () => {
  const recent = openRecent<number>(10, (value) => value);
  const kept = (): (number | undefined)[] => ["a", "b", "c", "d"].map((key) => recent.get(key));
  recent.set("a", 4);
  recent.set("b", 4);
  recent.get("a");
  recent.set("c", 4);
  expect(kept()).toEqual([4, undefined, 4, undefined]);
  recent.set("c", 5); // takes the place of its former weight
  expect(kept()).toEqual([4, undefined, 5, undefined]);
  recent.delete("a");
  recent.set("b", 5);
  expect(kept()).toEqual([undefined, 5, 5, undefined]);
  recent.set("d", 99);
  expect(kept()).toEqual([undefined, undefined, undefined, 99]);
});
