import { readdir, truncate, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, it } from "vitest";
import { openEmbeddedStore } from "../../src/store/embedded/store.js";
import { temporaryFolder } from "../support/app.js";
import { chunksOf, facts, readAll, vectorBytes } from "./conformance/directions.js";

it("keeps one file for each direction, and removes what a dead writer left once it is old enough", async () => {
  const directory = temporaryFolder();
  const folder = join(directory, "directions");
  const store = await openEmbeddedStore({ directory });
  for (const seed of [1, 2, 3]) await store.writeDirection(facts(), chunksOf(vectorBytes(seed, 100)));
  const broken = store.writeDirection(facts(), fails(vectorBytes(4, 1_000_000)));
  await expect(broken).rejects.toMatchObject({ code: "store_unavailable" });
  const [kept, ...others] = await readdir(folder);
  expect(others).toEqual([]);
  await store.close();

  await writeFile(join(folder, "dead.f32"), "half a vector");
  await writeFile(join(folder, "fresh.f32"), "half a vector");
  const twoHoursAgo = new Date(Date.now() - 7_200_000);
  for (const file of ["dead.f32", kept as string]) await utimes(join(folder, file), twoHoursAgo, twoHoursAgo);
  const again = await openEmbeddedStore({ directory });
  await expect.poll(() => readdir(folder)).toHaveLength(2);
  expect((await readdir(folder)).sort()).toEqual([kept, "fresh.f32"].sort());

  await again.deleteDirection("v");
  expect(await readdir(folder)).toEqual(["fresh.f32"]);
  await again.close();
});

it("refuses a vector whose file was damaged", async () => {
  const directory = temporaryFolder();
  const folder = join(directory, "directions");
  const store = await openEmbeddedStore({ directory });
  const bytes = vectorBytes(1, 1_000_000);
  const info = await store.writeDirection(facts(), chunksOf(bytes));
  const file = join(folder, (await readdir(folder))[0] as string);
  await writeFile(file, vectorBytes(2, bytes.length));
  await expect(readAll(store, info)).rejects.toMatchObject({
    code: "store_corrupt",
    message: /not those that were written/,
  });
  await truncate(file, 999_999);
  await expect(readAll(store, info)).rejects.toMatchObject({ code: "store_corrupt", message: /999999/ });
  await store.close();
});

async function* fails(bytes: Buffer): AsyncGenerator<Uint8Array> {
  yield bytes;
  throw new Error("no space left");
}
