import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { StoreOptions } from "../../src/store/options.js";
import type { Store, StoreStatus } from "../../src/store/port.js";
import { describeDatasets } from "./conformance/datasets.js";
import { describeDirections } from "./conformance/directions.js";
import { describeEmbeddings } from "./conformance/embeddings.js";
import { describeHashedIds } from "./conformance/hashed-ids.js";
import { describeHistories } from "./conformance/history.js";
import { describeLookUps } from "./conformance/look-ups.js";
import { describeDigestKey, describeOutputs } from "./conformance/outputs.js";
import { describeSamples } from "./conformance/samples.js";
import { describeSnapshots } from "./conformance/snapshots.js";

/** What the suite needs of an adapter: a place that is empty at first and can be opened several times, also at once. */
export interface StorePlace {
  /** What the store says of itself while it is open. */
  readonly status: StoreStatus;
  open(options?: StoreOptions): Promise<Store>;
  remove(): Promise<void>;
}

/** What every store promises; each adapter's test file calls this with a way to make a fresh place. */
export function describeStore(name: string, makePlace: () => Promise<StorePlace>): void {
  describe(`${name}: what every store promises`, () => {
    let place: StorePlace;
    let current: Store;
    const store = (): Store => current;
    const opened: Store[] = [];

    async function open(options?: StoreOptions): Promise<Store> {
      const another = await place.open(options);
      opened.push(another);
      return another;
    }

    beforeEach(async () => {
      place = await makePlace();
      current = await open();
    });

    afterEach(async () => {
      await Promise.all(opened.splice(0).map((each) => each.close()));
      await place.remove();
    });

    describe("digest key", () => describeDigestKey(store, open));
    describe("outputs", () => describeOutputs(store, open));
    describe("samples", () => describeSamples(store, open));
    describe("histories", () => describeHistories(store, open));
    describe("embeddings", () => describeEmbeddings(store, open));
    describe("datasets that hash ids", () => describeHashedIds(store, open));
    describe("datasets", () => describeDatasets(store, open));
    describe("look-ups", () => describeLookUps(store));
    describe("snapshots", () => describeSnapshots(store, open));
    describe("directions", () => describeDirections(store, open));

    describe("the end", () => {
      it("refuses work after it is closed, and closing twice is no fault", async () => {
        await store().close();
        await store().close();
        await expect(store().readSamples("d", ["a"])).rejects.toMatchObject({ code: "store_unavailable" });
        await expect(store().status()).rejects.toMatchObject({ code: "store_unavailable" });
      });

      it("says while it is open what an acknowledged write is worth", async () => {
        expect(await store().status()).toEqual(place.status);
      });
    });
  });
}
