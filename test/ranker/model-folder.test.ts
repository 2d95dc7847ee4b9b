import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import type { Manifest } from "../../src/ranker/manifest.js";
import { describeModel, readModelFolder } from "../../src/ranker/model-folder.js";

const SHIPPED = fileURLToPath(new URL("../../models/default", import.meta.url));

describe("the shipped model", () => {
  it("has the version that datasets of 1a1e855 name, and takes none of the outputs cached then, whose tokens may differ", async () => {
    const { version, contentDigests } = describeModel(await readModelFolder(SHIPPED), "fp32");
    expect(version).toBe("d0cd74d942cc458b");
    expect(contentDigests.fp32).not.toBe("359b8e127d189f886b8fec6ed438b06ea95f5e84372f8381939eb5242a1af899");
  });
});

describe("the gradient scope of a folder", () => {
  const scoped = async (gradient_scope?: Manifest["gradient_scope"]) => {
    const folder = await readModelFolder(SHIPPED);
    return describeModel({ ...folder, manifest: { ...folder.manifest, gradient_scope } }, "fp32");
  };

  it("is all where the manifest does not say it, and changes no digest then", async () => {
    const [unsaid, said] = [await scoped(), await scoped({ name: "all" })];
    expect(unsaid.gradientScope).toBe("all");
    expect(said).toEqual(unsaid);
  });

  it("changes the version and the digests of what reads gradients, by its parameters and not by its name", async () => {
    const parameters = ["classifier.weight", "classifier.bias"];
    const [all, part] = [await scoped(), await scoped({ name: "*classifier*", parameters })];
    expect(part.gradientScope).toBe("*classifier*");
    expect(part.version).not.toBe(all.version);
    expect(part.contentDigests.fp32).not.toBe(all.contentDigests.fp32);
    expect(part.contentDigests.tangent).not.toBe(all.contentDigests.tangent);
    expect(part.contentDigests.int8).toBe(all.contentDigests.int8);
    const renamed = await scoped({ name: "classifier.*", parameters });
    expect(renamed.contentDigests).toEqual(part.contentDigests);
    const other = await scoped({ name: "*classifier*", parameters: ["classifier.bias"] });
    expect(other.contentDigests.fp32).not.toBe(part.contentDigests.fp32);
  });

  it("is null without gradient graphs", async () => {
    const folder = await readModelFolder(SHIPPED);
    const graphs = { forward: folder.manifest.graphs.forward };
    const { gradientScope } = describeModel({ ...folder, manifest: { ...folder.manifest, graphs } }, "fp32");
    expect(gradientScope).toBeNull();
  });
});
