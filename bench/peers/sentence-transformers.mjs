import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { checkpoint, startPython, versionsOf } from "./process.mjs";

const PROGRAM = fileURLToPath(new URL("sentence_transformers_loop.py", import.meta.url));
const THREADS = 2;
const BATCH = 16;

/** sentence-transformers' CrossEncoder in a loop of its own, without HTTP: only `predict` is timed. */
export async function startSentenceTransformers() {
  const python = startPython("sentence-transformers", [
    PROGRAM,
    checkpoint(),
    String(THREADS),
    String(BATCH),
  ]);
  const lines = createInterface({ input: python.child.stdout })[Symbol.asyncIterator]();
  const answer = async () => {
    const { value, done } = await lines.next();
    if (done) throw new Error(`sentence-transformers ended; it said:\n${python.log()}`);
    return JSON.parse(value);
  };
  await answer();
  return {
    settings: `CrossEncoder.predict, batch size ${BATCH}, ${THREADS} threads, no HTTP`,
    versions: await versionsOf("sentence-transformers", ["sentence-transformers", "transformers", "torch"]),
    async score(pairs) {
      python.child.stdin.write(`${JSON.stringify(pairs.map(({ query, document }) => [query, document]))}\n`);
      const { elapsed_ms: elapsedMs, scores } = await answer();
      return { elapsedMs, scores };
    },
    close: python.close,
  };
}
