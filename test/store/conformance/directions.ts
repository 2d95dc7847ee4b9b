import { createHash } from "node:crypto";
import { expect, it } from "vitest";
import type { DirectionFacts, Store } from "../../../src/store/port.js";

/** What every store promises of directions; `store` is an empty one, `open` opens its place again. */
export function describeDirections(store: () => Store, open: () => Promise<Store>): void {
  it("come back with their vector to the last byte, whatever chunks it came in", async () => {
    const bytes = vectorBytes(1, 1_300_000);
    const before = Date.now();
    const info = await store().writeDirection(facts(), chunksOf(bytes, [1, 0, 524_287, 300_000, 1_000_000]));
    expect(info).toEqual({
      ...facts(),
      bytes: bytes.length,
      digest: createHash("sha256").update(bytes).digest("hex"),
      createdAtMs: expect.toSatisfy((time: number) => time >= before && time <= Date.now()),
    });
    const other = await open();
    expect(await other.readDirection("v")).toEqual(info);
    expect((await readAll(other, info)).equals(bytes)).toBe(true);
    expect(await store().readDirection("V")).toBeNull();
  });

  it("have names of any characters, and are listed in pages by them", async () => {
    const names = ["b", "a", "ab", "a:b", "日本", "{a}", "B", "n".repeat(128)];
    for (const name of names) await store().writeDirection(facts({ name }), chunksOf(vectorBytes(1, 8)));
    const seen: string[] = [];
    let pages = 0;
    for (let cursor: string | null = null, first = true; first || cursor !== null; first = false) {
      const page = await store().listDirections(cursor, 3);
      seen.push(...page.items.map(({ name }) => name));
      cursor = page.cursor;
      pages++;
    }
    expect(seen).toEqual(["B", "a", "a:b", "ab", "b", "n".repeat(128), "{a}", "日本"]);
    expect(pages).toBe(3);
    expect((await store().listDirections(null, 8)).cursor).toBeNull();
  });

  it("give way to the next of their name, and a reader that has begun reads on", async () => {
    const [old, young] = [vectorBytes(1, 2_000_000), vectorBytes(2, 1_500_000)];
    const first = await store().writeDirection(facts(), chunksOf(old));
    const reading = store().readDirectionVector("v", first.digest)[Symbol.asyncIterator]();
    const parts = [(await reading.next()).value as Uint8Array];
    const second = await (await open()).writeDirection(facts({ samples: 9 }), chunksOf(young));
    expect(await store().readDirection("v")).toEqual(second);
    expect((await readAll(store(), second)).equals(young)).toBe(true);
    for (let step = await reading.next(); !step.done; step = await reading.next()) parts.push(step.value);
    expect(Buffer.concat(parts).equals(old)).toBe(true);
    await expect(readAll(store(), first)).rejects.toMatchObject({ code: "direction_not_found" });
    expect((await store().listDirections(null, 5)).items).toEqual([second]);
  });

  it("may be written again with the same vector, which stays readable under its digest", async () => {
    const bytes = vectorBytes(1, 600_000);
    const first = await store().writeDirection(facts(), chunksOf(bytes));
    const second = await store().writeDirection(facts({ samples: 7 }), chunksOf(bytes));
    expect(second.digest).toBe(first.digest);
    expect((await readAll(store(), first)).equals(bytes)).toBe(true);
  });

  it("stay as they were when the vector of the next breaks off", async () => {
    const bytes = vectorBytes(1, 600_000);
    const info = await store().writeDirection(facts(), chunksOf(bytes));
    async function* broken(): AsyncGenerator<Uint8Array> {
      yield vectorBytes(2, 700_000);
      throw new Error("the engine died");
    }
    for (const name of ["v", "new"]) {
      await expect(store().writeDirection(facts({ name }), broken())).rejects.toThrow("the engine died");
    }
    expect(await store().readDirection("v")).toEqual(info);
    expect((await readAll(store(), info)).equals(bytes)).toBe(true);
    expect(await store().readDirection("new")).toBeNull();
  });

  it("of two writers at once are one or the other, whole", async () => {
    const [a, b] = [vectorBytes(1, 1_100_000), vectorBytes(2, 1_100_000)];
    const other = await open();
    for (let round = 0; round < 5; round++) {
      const written = await Promise.all([
        store().writeDirection(facts({ samples: 1 }), chunksOf(a)),
        other.writeDirection(facts({ samples: 2 }), chunksOf(b)),
      ]);
      const kept = await store().readDirection("v");
      expect(written).toContainEqual(kept);
      if (kept !== null) expect((await readAll(other, kept)).equals(kept.samples === 1 ? a : b)).toBe(true);
    }
  });

  it("have facts that are known only when the vector has passed", async () => {
    let passed = false;
    async function* vector(): AsyncGenerator<Uint8Array> {
      yield* chunksOf(vectorBytes(1, 600_000));
      passed = true;
    }
    const info = await store().writeDirection(() => {
      expect(passed).toBe(true);
      return facts({ norm: 7, scale: "cd".repeat(32) });
    }, vector());
    expect(await store().readDirection("v")).toEqual(info);
    expect(info).toMatchObject({ norm: 7, scale: "cd".repeat(32) });
    const failing = store().writeDirection(() => {
      throw new Error("nothing is left");
    }, vector());
    await expect(failing).rejects.toThrow("nothing is left");
    expect(await store().readDirection("v")).toEqual(info);
  });

  it("can be deleted, and are gone for every process", async () => {
    const other = await open();
    const info = await store().writeDirection(facts(), chunksOf(vectorBytes(1, 600_000)));
    expect(await other.deleteDirection("v")).toBe(true);
    expect(await store().deleteDirection("v")).toBe(false);
    expect(await store().readDirection("v")).toBeNull();
    await expect(readAll(store(), info)).rejects.toMatchObject({ code: "direction_not_found" });
    expect((await store().listDirections(null, 5)).items).toEqual([]);
  });
}

export function facts(changes: Partial<DirectionFacts> = {}): DirectionFacts {
  return {
    name: "v",
    kind: "mean_direction",
    model: { name: "default", version: "0123456789abcdef" },
    weightsDigest: "ab".repeat(32),
    gradientScope: "last:2",
    loss: "bce",
    samples: 3,
    zeroGradients: 1,
    norm: 0.25,
    scale: null,
    ...changes,
  };
}

/** Bytes without a period that chunks could share. */
export function vectorBytes(seed: number, length: number): Buffer {
  const bytes = Buffer.alloc(length);
  for (let at = 0, state = seed; at < length; at++) {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    bytes[at] = state >>> 16;
  }
  return bytes;
}

/** The bytes in parts of these sizes, then the rest. */
export async function* chunksOf(bytes: Buffer, sizes: readonly number[] = []): AsyncGenerator<Uint8Array> {
  let at = 0;
  for (const size of sizes) {
    yield bytes.subarray(at, at + size);
    at = Math.min(bytes.length, at + size);
  }
  yield bytes.subarray(at);
}

export async function readAll(
  store: Store,
  { name, digest }: { readonly name: string; readonly digest: string },
): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  for await (const part of store.readDirectionVector(name, digest)) parts.push(part);
  return Buffer.concat(parts);
}
