import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { describeModel, readModelFolder } from "../../src/ranker/model-folder.js";

const SHIPPED = fileURLToPath(new URL("../../models/default", import.meta.url));

describe("the shipped model", () => {
  it("has the version that datasets of 1a1e855 name, and takes none of the outputs cached then, whose tokens may differ", async () => {
    const { version, contentDigests } = describeModel(await readModelFolder(SHIPPED), "fp32");
    expect(version).toBe("d0cd74d942cc458b");
    expect(contentDigests.fp32).not.toBe("359b8e127d189f886b8fec6ed438b06ea95f5e84372f8381939eb5242a1af899");
  });
});
