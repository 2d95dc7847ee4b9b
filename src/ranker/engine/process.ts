/**
 * The engine process: one model folder, its tokenizer and its sessions. It speaks `protocol.ts` with the service that
 * forked it and ends when that service goes away.
 */
import { checkDigests, readModelFolder } from "../model-folder.js";
import { loadTokeniser, type Tokeniser } from "../tokeniser.js";
import type { FromEngine, ToEngine } from "./protocol.js";
import { createScheduler, type Scheduler } from "./scheduler.js";
import { selfTest } from "./self-test.js";
import { openForwardSession } from "./session.js";

/** Padded tokens of a batch: around it the CPU's throughput is flat, and below it small requests wait less. */
const BATCH_TOKENS_MAX = 2048;

interface Engine {
  readonly tokenise: Tokeniser;
  readonly scheduler: Scheduler;
}

let engine: Engine | null = null;

/** A service that died in the meantime needs no answer: `disconnect` ends this process. */
function send(message: FromEngine): void {
  process.send?.(message, undefined, undefined, () => undefined);
}

async function load({ directory, precision, threads }: ToEngine & { type: "load" }): Promise<Engine> {
  const folder = await readModelFolder(directory);
  await checkDigests(folder);
  const tokenise = await loadTokeniser(folder);
  const first = await openForwardSession(folder, precision, threads);
  await selfTest(folder, precision, tokenise, first);
  const scheduler = createScheduler({
    tokensMax: BATCH_TOKENS_MAX,
    openSession: async (wanted) =>
      wanted === precision ? first : openForwardSession(folder, wanted, threads),
    onDone: (run, outputs) => send({ type: "done", run, outputs }),
    onFailed: (run, error) => send({ type: "refused", run, reason: error.message }),
    onBatch: (facts) => send({ type: "batch", ...facts }),
  });
  return { tokenise, scheduler };
}

function run({ run, texts, precision }: ToEngine & { type: "run" }): void {
  if (engine === null) {
    send({ type: "refused", run, reason: "the model is not loaded" });
    return;
  }
  const startedAtMs = performance.now();
  try {
    const rows = texts.map(engine.tokenise);
    engine.scheduler.add(run, precision, rows, performance.now() - startedAtMs);
  } catch (error) {
    // A text that the tokenizer cannot take costs its own run, not the process that others wait for.
    send({ type: "refused", run, reason: `tokenising failed: ${(error as Error).message}` });
  }
}

process.on("message", (message: ToEngine): void => {
  switch (message.type) {
    case "load":
      load(message).then(
        (loaded) => {
          engine = loaded;
          send({ type: "ready" });
        },
        (error: Error) => send({ type: "failed", reason: error.message }),
      );
      break;
    case "run":
      run(message);
      break;
    case "cancel":
      engine?.scheduler.cancel(message.run);
  }
});

// The service closes the channel when nothing is under way, or dies: either way nobody is left to answer.
process.on("disconnect", () => process.exit(0));
// A terminal's Ctrl-C reaches the whole group; the service decides when its engines end.
process.on("SIGINT", () => undefined);
process.on("SIGTERM", () => undefined);
