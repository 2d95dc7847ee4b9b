import { randomFrom } from "../random.mjs";

/** Samples of one writing: those of one transaction of the service. */
export const BATCH = 4096;

/** Ids of `count` samples, ascending or in random order. */
export function idsOf(order, count) {
  const ids = Array.from({ length: count }, (_, index) => `q${String(index).padStart(8, "0")}:p3`);
  if (order === "ascending") return ids;
  const random = randomFrom(count);
  for (let last = count - 1; last > 0; last--) {
    const other = Math.floor(random() * (last + 1));
    [ids[last], ids[other]] = [ids[other], ids[last]];
  }
  return ids;
}
