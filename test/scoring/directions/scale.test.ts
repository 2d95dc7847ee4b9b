import { expect, it } from "vitest";
import { scaleDirection } from "../../../src/scoring/directions/scale.js";
import { facts } from "../../store/conformance/directions.js";
import { temporaryStore } from "../../support/app.js";
import { fakeRankers } from "../../support/fake-rankers.js";

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}

it("a scale that is refused at its first entry is told that no more of it is wanted", async () => {
  const ports = { rankers: fakeRankers(), store: await temporaryStore() };
  await ports.store.writeDirection(facts(), once(new Uint8Array(Float32Array.of(1, 2).buffer)));
  let ended = false;
  async function* scale(): AsyncGenerator<Uint8Array> {
    try {
      for (;;) yield new Uint8Array(Float32Array.of(-1).buffer);
    } finally {
      ended = true;
    }
  }
  await expect(scaleDirection(ports, "v", scale())).rejects.toMatchObject({ code: "scale_invalid" });
  expect(ended).toBe(true);
});
