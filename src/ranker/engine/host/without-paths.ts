import { realpathSync } from "node:fs";
import { resolve } from "node:path";

/** An absolute path to a file with an extension; a node of a graph, `/bert/embeddings/Add`, has none. */
const FOLDERS_OF_FILE = /(?<![\w.:/-])\/(?:[^\s"'()<>:,;/]+\/)*(?=[^\s"'()<>:,;/]*\.[A-Za-z]\w{0,7}\b)/g;

/** What ONNX Runtime or the system says, with files by their names alone: an answer must not tell of the machine. */
export function withoutPaths(text: string, directory: string): string {
  const folders = new Set([directory, resolve(directory), resolved(directory)]);
  return [...folders]
    .sort((a, b) => b.length - a.length)
    .reduce((shorter, folder) => shorter.replaceAll(`${folder}/`, ""), text)
    .replaceAll(FOLDERS_OF_FILE, "");
}

/** Where a link leads; the folder of an upload may be gone. */
function resolved(directory: string): string {
  try {
    return realpathSync(directory);
  } catch {
    return directory;
  }
}
