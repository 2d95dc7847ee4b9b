import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openEmbeddedStore } from "../../src/store/embedded/store.js";
import { describeStore } from "./conformance.js";

describeStore("embedded store", async () => {
  const directory = await mkdtemp(join(tmpdir(), "assay-store-"));
  return {
    open: (choices) => openEmbeddedStore({ directory, ...choices }),
    remove: () => rm(directory, { recursive: true }),
  };
});
