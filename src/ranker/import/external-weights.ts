import { createReadStream } from "node:fs";
import { type FileHandle, open, stat, writeFile } from "node:fs/promises";
import { relative, resolve, sep } from "node:path";
import { AssayError, messageOf } from "../../errors.js";
import { type Entry, EXTERNAL, type GraphProto, makeEntry, type TensorProto } from "./onnx.js";

/** A tensor begins at a multiple of this many bytes. */
const ALIGNMENT = 64;

/** The place of a tensor's data: `length` bytes of the file `path` from `offset` on. */
export interface Extent {
  readonly path: string;
  readonly offset: number;
  readonly length: number;
}

/**
 * Copies the data that the graph's tensors keep in other files of `directory` into the one file `target`, and makes the tensors
 * refer to it as `name`. Answers whether there are such data; if not, makes no file. Throws `model_invalid` naming a file that is
 * missing, too short or outside of the folder.
 */
export async function gatherExternalWeights(
  graph: GraphProto,
  directory: string,
  target: string,
  name: string,
): Promise<boolean> {
  const tensors = [...tensorsOf(graph)].filter(({ dataLocation }) => dataLocation === EXTERNAL);
  if (tensors.length === 0) return false;
  const located = await Promise.all(
    tensors.map(async (tensor) => ({ tensor, extent: await locate(tensor, directory) })),
  );
  const file = await open(target, "wx");
  try {
    const tensorFile = createTensorFile(file, name);
    for (const { tensor, extent } of located) {
      tensor.externalData = await tensorFile.copy(extent);
    }
  } finally {
    await file.close();
  }
  return true;
}

/** A file to which the data of tensors are appended, equal ones once. Each method answers the entries that refer to the data. */
export interface TensorFile {
  /** Appends the data of an extent. */
  copy(extent: Extent): Promise<Entry[]>;
  /** Appends what `make` answers, unless data of the same key are there already. */
  add(key: string, make: () => Promise<Uint8Array>): Promise<Entry[]>;
}

/** `file` is empty; graphs call it `name`. */
export function createTensorFile(file: FileHandle, name: string): TensorFile {
  let end = 0;
  const placed = new Map<string, Entry[]>();

  async function place(key: string, append: () => Promise<number>): Promise<Entry[]> {
    const known = placed.get(key);
    if (known !== undefined) return known;
    const offset = Math.ceil(end / ALIGNMENT) * ALIGNMENT;
    await file.writeFile(new Uint8Array(offset - end));
    const length = await append();
    end = offset + length;
    const entries = [
      makeEntry("location", name),
      makeEntry("offset", String(offset)),
      makeEntry("length", String(length)),
    ];
    placed.set(key, entries);
    return entries;
  }

  return {
    copy: (extent) =>
      place(JSON.stringify(extent), async () => {
        await copyExtent(extent, file);
        return extent.length;
      }),
    add: (key, make) =>
      place(key, async () => {
        const bytes = await make();
        await file.writeFile(bytes);
        return bytes.length;
      }),
  };
}

/** Tensors of the graph and of its subgraphs. */
export function* tensorsOf({ initializer, node }: GraphProto): Generator<TensorProto> {
  yield* initializer;
  for (const { attribute } of node) {
    for (const { t, g, graphs } of attribute) {
      if (t !== undefined) yield t;
      for (const inner of [...(g ? [g] : []), ...graphs]) yield* tensorsOf(inner);
    }
  }
}

/** Where an external tensor of a graph in `directory` has its data. Throws `model_invalid`. */
export async function locate({ name, externalData }: TensorProto, directory: string): Promise<Extent> {
  const entries = new Map(externalData.map(({ key, value }) => [key, value]));
  const location = entries.get("location") ?? "";
  const path = resolve(directory, location);
  const inside = relative(directory, path);
  if (inside === "" || inside === ".." || inside.startsWith(`..${sep}`)) {
    throw refused(`tensor ${name} is in ${JSON.stringify(location)}, which is outside of the folder`);
  }
  const size = await sizeOf(path, location);
  const offset = Number(entries.get("offset") ?? 0);
  const length = Number(entries.get("length") ?? size - offset);
  if (!(offset >= 0 && length >= 0 && offset + length <= size)) {
    throw refused(
      `${location} has ${size} bytes, but tensor ${name} needs the bytes ${offset} to ${offset + length}: check that the file is complete`,
    );
  }
  return { path, offset, length };
}

async function sizeOf(path: string, location: string): Promise<number> {
  try {
    return (await stat(path)).size;
  } catch (cause) {
    throw refused(`${location}, which holds the graph's weights, cannot be read: ${messageOf(cause)}`, cause);
  }
}

/** Appends the bytes of an extent to the file. */
async function copyExtent({ path, offset, length }: Extent, file: FileHandle): Promise<void> {
  if (length > 0) await writeFile(file, createReadStream(path, { start: offset, end: offset + length - 1 }));
}

function refused(detail: string, cause?: unknown): AssayError {
  return new AssayError("model_invalid", { detail, cause });
}
