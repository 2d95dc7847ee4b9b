import { realpathSync } from "node:fs";
import { resolve } from "node:path";

/** The folders of an absolute path to a file with an extension. The name of a graph's node, `/bert/embeddings/Add`, has none. */
const FOLDERS_OF_FILE = /(?<![\w.:/-])\/(?:[^\s"'()<>:,;/]+\/)*(?=[^\s"'()<>:,;/]*\.[A-Za-z]\w{0,7}\b)/g;

/** A message of ONNX Runtime or the system in which paths are shortened to file names, because answers must not reveal paths. */
export function withoutPaths(text: string, directory: string): string {
  const folders = new Set([directory, resolve(directory), resolved(directory)]);
  return [...folders]
    .sort((a, b) => b.length - a.length)
    .reduce((shorter, folder) => shorter.replaceAll(`${folder}/`, ""), text)
    .replaceAll(FOLDERS_OF_FILE, "");
}

/** The target of a link. The folder of an upload may be gone; then the path itself. */
function resolved(directory: string): string {
  try {
    return realpathSync(directory);
  } catch {
    return directory;
  }
}
