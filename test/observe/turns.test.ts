import { setImmediate as nextTurn } from "node:timers/promises";
import { expect, it } from "vitest";
import { giveTurn } from "../../src/observe/turns.js";

/** Holds the thread for a while, as work does. */
function work(ms: number): void {
  const end = performance.now() + ms;
  while (performance.now() < end);
}

it("lets others have a turn once work has lasted long enough, and not before", async () => {
  await giveTurn();
  let turns = 0;
  const counting = (async () => {
    for (;;) {
      await nextTurn();
      if (turns < 0) return;
      turns += 1;
    }
  })();
  for (let step = 0; step < 50; step++) {
    work(4);
    await giveTurn();
  }
  // A slice is three steps, and there are some turns between two slices.
  expect(turns).toBeGreaterThanOrEqual(60);
  turns = -1;
  await counting;
});

it("lets one work go on in each turn, in the order in which they came", async () => {
  const order: string[] = [];
  const long = async (name: string): Promise<void> => {
    for (let step = 0; step < 3; step++) {
      work(11);
      order.push(name);
      await giveTurn();
    }
  };
  let isDone = false;
  const turns = (async () => {
    while (!isDone) {
      await nextTurn();
      order.push("|");
    }
  })();
  await Promise.all([long("a"), long("b"), long("c")]);
  isDone = true;
  await turns;
  const steps = order
    .join("")
    .replace(/\|+/g, "|")
    .replace(/^\||\|$/g, "");
  // They begin together, before any of them has given a turn.
  expect(steps).toMatch(/^abc\|a\|b\|c\|a\|b\|c/);
});
