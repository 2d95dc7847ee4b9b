import { openClient } from "../client.mjs";
import { checkpoint, freePort, startPython, untilHealthy, versionsOf } from "./process.mjs";

const THREADS = 2;
const BATCH = 16;
const CONCURRENCY = 32;

/** Infinity's /rerank, engine torch: one request a query with its documents, which Infinity batches by length across requests. */
export async function startInfinity() {
  const port = await freePort();
  const program = "import sys; from infinity_emb.cli import cli; sys.argv[0] = 'infinity_emb'; cli()";
  const flags = [
    "--model-id",
    checkpoint(),
    "--served-model-name",
    "m",
    "--engine",
    "torch",
    "--device",
    "cpu",
  ];
  const limits = [
    "--dtype",
    "float32",
    "--batch-size",
    String(BATCH),
    "--host",
    "127.0.0.1",
    "--port",
    String(port),
  ];
  const python = startPython(
    "infinity",
    ["-c", program, "v2", ...flags, ...limits, "--log-level", "warning"],
    { OMP_NUM_THREADS: String(THREADS) },
  );
  python.child.stdout.resume();
  await untilHealthy(python, `http://127.0.0.1:${port}/health`);
  const client = openClient(`http://127.0.0.1:${port}`);
  return {
    settings: `/rerank, engine torch, batch size ${BATCH}, ${THREADS} threads, one request a query, ${CONCURRENCY} at once`,
    versions: await versionsOf("infinity", [
      "infinity-emb",
      "sentence-transformers",
      "transformers",
      "torch",
    ]),
    async score(pairs) {
      const groups = [...groupByQuery(pairs)];
      const bodies = groups.map(([query, some]) =>
        Buffer.from(
          JSON.stringify({
            model: "m",
            query,
            documents: some.map(({ document }) => document),
            raw_scores: true,
          }),
        ),
      );
      const { elapsedMs, answers } = await client.postAll("/rerank", bodies, CONCURRENCY);
      const scoreOf = new Map();
      groups.forEach(([, some], g) => {
        for (const { index, relevance_score: score } of JSON.parse(answers[g]).results)
          scoreOf.set(some[index], score);
      });
      return { elapsedMs, scores: pairs.map((pair) => scoreOf.get(pair)) };
    },
    async close() {
      client.close();
      await python.close();
    },
  };
}

/** As Map.groupBy, which Node 20 lacks. */
function groupByQuery(pairs) {
  const groups = new Map();
  for (const pair of pairs) {
    const group = groups.get(pair.query);
    if (group === undefined) groups.set(pair.query, [pair]);
    else group.push(pair);
  }
  return groups;
}
