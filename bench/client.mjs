import { Agent, request } from "node:http";
import { performance } from "node:perf_hooks";

/** A keep-alive client; bodies are sent and answers left as bytes, so that it costs far less than what it measures. */
export function openClient(url) {
  const agent = new Agent({ keepAlive: true, maxSockets: 64 });

  /** Answers the body's bytes; throws on any status but 200. */
  function send(method, path, body, headers = { "content-type": "application/json" }) {
    return new Promise((resolve, reject) => {
      const sent = request(`${url}${path}`, { method, agent, headers }, (response) => {
        const chunks = [];
        response.on("data", (chunk) => chunks.push(chunk));
        response.on("error", reject);
        response.on("end", () => {
          const bytes = Buffer.concat(chunks);
          if (response.statusCode === 200) resolve(bytes);
          else reject(new Error(`${method} ${path}: ${response.statusCode} ${bytes.subarray(0, 500)}`));
        });
      });
      sent.on("error", reject);
      // With its length known the body goes out in one piece, not chunked.
      if (body !== undefined) sent.setHeader("content-length", body.length);
      sent.end(body);
    });
  }

  return {
    get: (path) => send("GET", path, undefined, {}),
    post: (path, body) => send("POST", path, body),
    put: (path, body, headers) => send("PUT", path, body, headers),
    /** Posts every body, `concurrency` at a time: milliseconds from the first byte to the last, the answers, each's own milliseconds. */
    async postAll(path, bodies, concurrency) {
      const answers = new Array(bodies.length);
      const eachMs = new Array(bodies.length);
      let next = 0;
      const startedAtMs = performance.now();
      async function work() {
        while (next < bodies.length) {
          const index = next++;
          const sentAtMs = performance.now();
          answers[index] = await send("POST", path, bodies[index]);
          eachMs[index] = performance.now() - sentAtMs;
        }
      }
      await Promise.all(Array.from({ length: concurrency }, work));
      return { elapsedMs: performance.now() - startedAtMs, answers, eachMs };
    },
    close: () => agent.destroy(),
  };
}

/** The body of `POST /v1/score` for pairs: what a trainer sends, remembered under their ids in a dataset unless it is null. */
export function scoreBody(pairs, dataset = "bench") {
  return Buffer.from(JSON.stringify(dataset === null ? { samples: pairs } : { dataset, samples: pairs }));
}

/** Scores pairs in batches; `hits` says how many must come from the cache, or the run is not what its name says. Pairs a second. */
export async function scoreAll(service, batches, concurrency, hits = 0) {
  const { elapsedMs, answers } = await service.postAll(
    "/v1/score",
    batches.map((batch) => scoreBody(batch)),
    concurrency,
  );
  const parsed = answers.map((answer) => JSON.parse(answer));
  const found = parsed.reduce((sum, { diagnostics }) => sum + diagnostics.cache_hits, 0);
  if (found !== hits) throw new Error(`${found} of the pairs came from the cache where ${hits} should`);
  const logits = parsed.flatMap(({ results }) => results.map(({ logit }) => logit));
  return { pairsPerSecond: (logits.length / elapsedMs) * 1000, elapsedMs, logits };
}
