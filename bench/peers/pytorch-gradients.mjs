import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { checkpoint, startPython, versionsOf } from "./process.mjs";

const PROGRAM = fileURLToPath(new URL("pytorch_gradients.py", import.meta.url));
const THREADS = 2;
const BATCH = 8;
const METHODS = {
  "PyTorch, a backward pass a sample": "loop",
  [`PyTorch, vmap(grad), ${BATCH} a batch`]: "vmap",
  [`Opacus, ghost norms, ${BATCH} a batch`]: "ghost",
};

/** PyTorch's and Opacus's gradient norms in a loop of its own, without HTTP: tokenising and norms are timed. */
export async function startPyTorchGradients() {
  const python = startPython("gradients", [PROGRAM, checkpoint(), String(THREADS), String(BATCH)]);
  const lines = createInterface({ input: python.child.stdout })[Symbol.asyncIterator]();
  const answer = async () => {
    const { value, done } = await lines.next();
    if (done) throw new Error(`PyTorch ended; it said:\n${python.log()}`);
    return JSON.parse(value);
  };
  const ask = async (method, pairs) => {
    const rows = pairs.map(({ query, document, label }) => [query, document, label]);
    python.child.stdin.write(`${JSON.stringify({ method, pairs: rows })}\n`);
    const { elapsed_ms: elapsedMs, norms } = await answer();
    return { elapsedMs, norms };
  };
  await answer();
  return {
    versions: await versionsOf("gradients", ["torch", "opacus", "transformers"]),
    methods: Object.fromEntries(
      Object.entries(METHODS).map(([name, method]) => [name, (pairs) => ask(method, pairs)]),
    ),
    close: python.close,
  };
}
