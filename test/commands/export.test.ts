import { execFile } from "node:child_process";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { tableFromIPC } from "apache-arrow";
import { describe, expect, it } from "vitest";
import { AssayError } from "../../src/errors.js";
import { sample } from "../store/conformance/records.js";
import { temporaryFolder, temporaryStore, testApp } from "../support/app.js";
import { listeningPort } from "../support/raw.js";

const CLI = fileURLToPath(new URL("../../dist/cli.js", import.meta.url));

/** A run of `assay export d`: what it printed as errors, and its exit code. */
async function run(
  port: number,
  output: string,
  ...more: string[]
): Promise<{ code: number; stderr: string }> {
  const args = [CLI, "export", "d", "-o", output, "--url", `http://127.0.0.1:${port}`, ...more];
  return promisify(execFile)(process.execPath, args).then(
    ({ stderr }) => ({ code: 0, stderr }),
    ({ code, stderr }: { code: number; stderr: string }) => ({ code, stderr }),
  );
}

async function filled() {
  const store = await temporaryStore();
  const records = Array.from({ length: 1500 }, (_, index) => ({ id: `s${index}`, record: sample() }));
  await store.writeSamples("d", records);
  return store;
}

describe("assay export", () => {
  it("writes the dataset in the format that the file's name says, with the key of the service", async () => {
    const port = await listeningPort(await testApp({ store: await filled(), apiKeys: ["secret"] }));
    const folder = temporaryFolder();
    const [csv, arrow] = [join(folder, "d.csv"), join(folder, "d.arrows")];
    expect(await run(port, csv, "--key", "secret")).toEqual({ code: 0, stderr: "" });
    expect(readFileSync(csv, "utf8").split("\r\n")).toHaveLength(1502);
    expect(await run(port, arrow, "--key", "secret")).toEqual({ code: 0, stderr: "" });
    expect(tableFromIPC(readFileSync(arrow)).numRows).toBe(1500);
    const refused = await run(port, csv);
    expect(refused).toMatchObject({ code: 1, stderr: expect.stringContaining("ASSAY_API_KEYS") });
  });

  it("leaves the file as it was if the service breaks off, and says where the part is", async () => {
    const store = await filled();
    const broken = {
      ...store,
      async *scanSamples(...of: Parameters<typeof store.scanSamples>) {
        for await (const chunk of store.scanSamples(...of)) {
          if (chunk.count < 1000) throw new AssayError("store_unavailable");
          yield chunk;
        }
      },
    };
    const port = await listeningPort(await testApp({ store: broken }));
    const file = join(temporaryFolder(), "d.ndjson");
    writeFileSync(file, "before");
    const { code, stderr } = await run(port, file);
    expect(code).toBe(1);
    expect(stderr).toContain(`What was read so far is in ${file}.partial`);
    expect(readFileSync(file, "utf8")).toBe("before");
    expect(readFileSync(`${file}.partial`, "utf8").split("\n").length).toBeGreaterThan(1000);
  });

  it("says what is wrong with a dataset, a snapshot or a name, and writes nothing", async () => {
    const port = await listeningPort(await testApp());
    const file = join(temporaryFolder(), "d.csv");
    expect(await run(port, file)).toEqual({ code: 1, stderr: 'assay: No dataset is named "d"\n' });
    expect((await run(port, `${file}.txt`)).stderr).toContain("does not say its format");
    expect(existsSync(file)).toBe(false);
  });
});
