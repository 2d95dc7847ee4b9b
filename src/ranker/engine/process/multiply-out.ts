import { open, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { checkDigests } from "../../digests.js";
import { GRAPHS } from "../../graphs.js";
import {
  createTensorFile,
  type Extent,
  locate,
  type TensorFile,
  tensorsOf,
} from "../../import/external-weights.js";
import {
  decodeModel,
  EXTERNAL,
  encodeModel,
  type GraphProto,
  makeExternalTensor,
} from "../../import/onnx.js";
import { WEIGHTS_FILE } from "../../manifest.js";
import type { ModelFolder } from "../../model-folder.js";
import { packsWeights } from "../session/packs-weights.js";
import { multiplied, takeProducts } from "./products.js";

/** Only this user may read the files. */
const PRIVATE = 0o600;

/**
 * Writes the graphs of a folder whose sessions map their weights to the empty directory `into`, with weights that are already
 * multiplied by their scales. Sessions map the float32 weights from one file there and share them. From the model folder each
 * session would make its own. Throws `model_invalid` if the folder no longer matches its digests.
 */
export async function multiplyOut(folder: ModelFolder, into: string): Promise<void> {
  const { directory, manifest } = folder;
  const file = await open(join(into, WEIGHTS_FILE), "wx", PRIVATE);
  try {
    const tensorFile = createTensorFile(file, WEIGHTS_FILE);
    for (const graph of GRAPHS) {
      const name = manifest.graphs[graph];
      if (name === undefined || packsWeights(graph, manifest)) continue;
      const model = decodeModel(await readFile(join(directory, name)));
      await moveWeights(model.graph, directory, tensorFile);
      await writeFile(join(into, name), encodeModel(model), { mode: PRIVATE });
    }
  } finally {
    await file.close();
  }
  // The folder's files may have been replaced since the start, also by ones that are put back later.
  await checkDigests(folder);
}

/** Moves the graph's external tensors and its products to the file. */
async function moveWeights(graph: GraphProto, directory: string, tensorFile: TensorFile): Promise<void> {
  const products = takeProducts(graph);
  const external = [...tensorsOf(graph)].filter(({ dataLocation }) => dataLocation === EXTERNAL);
  const copied = await Promise.all(
    external.map(async (tensor) => ({ tensor, extent: await locate(tensor, directory) })),
  );
  for (const { tensor, extent } of copied) tensor.externalData = await tensorFile.copy(extent);
  const made = await Promise.all(
    products.map(async (product) => ({
      product,
      weight: await locate(product.weight, directory),
      scale: await locate(product.scale, directory),
    })),
  );
  for (const { product, weight, scale } of made) {
    const entries = await tensorFile.add(JSON.stringify([weight, scale]), async () => {
      const [weights, scales] = await Promise.all([bytesOf(weight), bytesOf(scale)]);
      return new Uint8Array(multiplied(product, new Int8Array(weights), new Float32Array(scales)).buffer);
    });
    graph.initializer.push(makeExternalTensor(product.name, product.weight.dims, entries));
  }
}

async function bytesOf({ path, offset, length }: Extent): Promise<ArrayBuffer> {
  const file = await open(path);
  try {
    const bytes = new ArrayBuffer(length);
    const { bytesRead } = await file.read(new Uint8Array(bytes), 0, length, offset);
    if (bytesRead < length) throw new Error(`${WEIGHTS_FILE} became shorter while it was read`);
    return bytes;
  } finally {
    await file.close();
  }
}
