import { fileURLToPath } from "node:url";
import { openClient } from "../client.mjs";
import { chunksOf } from "../pairs.mjs";
import { checkpoint, freePort, startPython, untilHealthy, versionsOf } from "./process.mjs";

const PROGRAM = fileURLToPath(new URL("litserve_server.py", import.meta.url));
const THREADS = 2;
const REQUEST = 200;
const CONCURRENCY = 2;

/** LitServe around sentence-transformers' CrossEncoder, as its documentation builds a server. */
export async function startLitServe() {
  const port = await freePort();
  const python = startPython("litserve", [PROGRAM, checkpoint(), String(port), String(THREADS)]);
  python.child.stdout.resume();
  await untilHealthy(python, `http://127.0.0.1:${port}/health`);
  const client = openClient(`http://127.0.0.1:${port}`);
  return {
    settings: `CrossEncoder in one worker, ${THREADS} threads, ${REQUEST} pairs a request, ${CONCURRENCY} at once`,
    versions: await versionsOf("litserve", ["litserve", "sentence-transformers", "transformers", "torch"]),
    async score(pairs) {
      const bodies = chunksOf(pairs, REQUEST).map((some) =>
        Buffer.from(JSON.stringify({ pairs: some.map(({ query, document }) => [query, document]) })),
      );
      const { elapsedMs, answers } = await client.postAll("/predict", bodies, CONCURRENCY);
      return { elapsedMs, scores: answers.flatMap((answer) => JSON.parse(answer).scores) };
    },
    async close() {
      client.close();
      await python.close();
    },
  };
}
