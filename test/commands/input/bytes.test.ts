import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { expect, it } from "vitest";
import { readBytes } from "../../../src/commands/input/bytes.js";
import { temporaryFolder } from "../../support/app.js";

it("an abort ends the unpacking of a file that has been read to its end", async () => {
  const file = join(temporaryFolder(), "zeros.csv.gz");
  writeFileSync(file, gzipSync(Buffer.alloc(64 * 2 ** 20)));
  const ending = new AbortController();
  let bytes = 0;
  const reading = async (): Promise<void> => {
    for await (const chunk of readBytes(file, ending.signal)) {
      bytes += chunk.length;
      if (bytes > 2 ** 20) ending.abort(new Error("ended"));
    }
  };
  await expect(reading()).rejects.toThrow("ended");
  expect(bytes).toBeLessThan(2 ** 22);
});
