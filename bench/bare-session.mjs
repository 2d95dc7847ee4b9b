import { fork } from "node:child_process";
import { performance } from "node:perf_hooks";
import { fileURLToPath } from "node:url";

const PROCESS = fileURLToPath(new URL("bare-session-process.mjs", import.meta.url));

/** Padded tokens of a batch in the ceiling's loop: the fastest, by the sweep over this budget. */
const BATCH_TOKENS_MAX = 512;

/** A bare onnxruntime-node session in a process of its own: nothing but `session.run` on tensors made beforehand. */
export async function openBareSession({ model, precision, threads }) {
  const child = fork(PROCESS, { serialization: "advanced" });
  let answerTo = [];
  child.on("message", ({ error, value }) => {
    const { resolve, reject } = answerTo.shift();
    if (error === undefined) resolve(value);
    else reject(new Error(error));
  });
  child.on("exit", (code) => {
    for (const { reject } of answerTo) reject(new Error(`the bare session ended (${code})`));
    answerTo = [];
  });
  // Answers come in the order of the questions.
  const ask = (message) =>
    new Promise((resolve, reject) => {
      answerTo.push({ resolve, reject });
      child.send(message);
    });
  await ask({ type: "load", model, precision, threads });
  return {
    /** Tokenises and pads batches of texts for later. */
    prepare: (batches) => ask({ type: "prepare", batches }),
    /** Runs one prepared batch: milliseconds inside `session.run`. */
    run: (index) => ask({ type: "run", index }),
    /** Logits of every prepared batch, run once. */
    logits: () => ask({ type: "logits" }),
    close: () => child.disconnect(),
  };
}

/**
 * Batches of texts as the ceiling runs them: sorted by length, each filled to the budget of padded tokens, the longest first, so
 * that two processes end together. `order` is the place of each row among the texts.
 */
export async function sortedBatches(texts, tokenise, tokensMax = BATCH_TOKENS_MAX) {
  const lengths = (await tokenise(texts)).map(({ ids }) => ids.length);
  const byLength = texts.map((_, index) => index).sort((i, j) => lengths[j] - lengths[i]);
  const batches = [];
  let longest = 0;
  for (const index of byLength) {
    const batch = batches.at(-1);
    if (batch === undefined || (batch.length + 1) * longest > tokensMax) {
      batches.push([index]);
      longest = lengths[index];
    } else batch.push(index);
  }
  return { batches: batches.map((batch) => batch.map((index) => texts[index])), order: batches.flat() };
}

/** Runs `count` prepared batches over sessions that all hold them, each taking the next when it is free. Milliseconds. */
export async function runBatches(sessions, count) {
  let next = 0;
  const startedAtMs = performance.now();
  async function work(session) {
    while (next < count) await session.run(next++);
  }
  // Two in flight for each: the next is there when one ends.
  await Promise.all(sessions.flatMap((session) => [work(session), work(session)]));
  return performance.now() - startedAtMs;
}
