import { beforeEach, describe, expect, it } from "vitest";
import { startStopwatch } from "../../../src/observe/stopwatch.js";
import type { Caller, DirectionVector, Text } from "../../../src/ranker/port.js";
import { knownOutputs } from "../../../src/scoring/outputs/outputs.js";
import type { WantedRecord } from "../../../src/scoring/ports.js";
import type { Store } from "../../../src/store/port.js";
import { temporaryStore } from "../../support/app.js";
import { type FakeRanker, fakeRanker } from "../../support/fake-rankers.js";
import { FP32 } from "../../support/outputs.js";

const caller: Caller = { signal: new AbortController().signal, deadlineAtMs: null };
const texts: readonly Text[] = Array.from({ length: 3 }, (_, i) => ({ first: `text ${i}`, second: null }));
const norms: WantedRecord = { graph: "norms" };

function along(digest: string, value = 1): WantedRecord {
  const direction: DirectionVector = {
    digest,
    async *read() {
      yield new Uint8Array(new Float32Array(8).fill(value).buffer);
    },
  };
  return { graph: "tangent", direction };
}

describe("the outputs of texts", () => {
  let store: Store;
  let ranker: FakeRanker;
  beforeEach(async () => {
    store = await temporaryStore();
    ranker = fakeRanker({ classes: 2, task: "classification" });
  });

  async function ask(wanted: WantedRecord, of = texts) {
    const outputs = await knownOutputs({ ranker, store }, of, wanted, {
      stopwatch: startStopwatch(),
      caller,
    });
    expect(await outputs.kept).toBeNull();
    return outputs;
  }

  it("come from the model once, whatever is asked for that it has said", async () => {
    const ran = await ask(norms);
    expect(ran.cached).toEqual([false, false, false]);
    for (const wanted of [norms, FP32, norms]) {
      const { cached, logits, featureNormsSquared, gram } = await ask(wanted);
      expect(cached).toEqual([true, true, true]);
      expect({ logits, featureNormsSquared }).toEqual({
        logits: ran.logits,
        featureNormsSquared: ran.featureNormsSquared,
      });
      expect(gram).toEqual(wanted === FP32 ? undefined : ran.gram);
    }
    expect(ran.gram).toHaveLength(3 * 4);
    expect(ranker.ran).toHaveLength(3);
  });

  it("run again for what the forward graph does not say, and then no more", async () => {
    await ask(FP32);
    await ask(norms, texts.slice(0, 2));
    expect(ranker.ran).toHaveLength(5);
    expect((await ask(norms, texts.slice(0, 2))).cached).toEqual([true, true]);
    expect((await ask(FP32)).cached).toEqual([true, true, true]);
    expect(ranker.ran).toHaveLength(5);
  });

  it("keep their parts when others are asked for", async () => {
    await ask(norms);
    const { features } = await ask({ ...FP32, asked: ["features"] });
    expect(features).toHaveLength(3 * 4);
    expect(ranker.ran).toHaveLength(6);
    expect(ranker.wanted.at(-1)).toEqual({ graph: "norms", asked: ["features"] });
    const again = await ask({ graph: "norms", asked: ["features"] });
    expect(again.cached).toEqual([true, true, true]);
    again.features?.forEach((h, index) => {
      expect(Math.abs(h - (features?.[index] as number))).toBeLessThanOrEqual(h * 2 ** -11);
    });
    expect(ranker.ran).toHaveLength(6);
  });

  it("are of one direction, and of one model", async () => {
    const one = await ask(along("one"));
    const other = await ask(along("other", 2));
    expect(other.cached).toEqual([false, false, false]);
    other.tangent?.forEach((tangent, index) => {
      expect(tangent).toBeCloseTo(2 * (one.tangent?.[index] as number), 5);
    });
    const again = await ask(along("one"));
    expect([again.tangent, again.gram, again.logits]).toEqual([one.tangent, one.gram, one.logits]);
    expect(again.cached).toEqual([true, true, true]);
    expect((await ask(norms)).cached).toEqual([false, false, false]);
  });

  it("of equal texts run once and stand at each of their places", async () => {
    const { gram } = await ask(norms, [texts[0], texts[1], texts[0]] as Text[]);
    expect(ranker.ran).toHaveLength(2);
    expect([...(gram ?? [])].slice(0, 4)).toEqual([...(gram ?? [])].slice(8));
  });
});
