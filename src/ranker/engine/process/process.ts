/**
 * The engine process: it runs one model folder on one device. Its tokenizer is on this thread, its sessions are on other threads.
 * It exchanges the messages of `protocol.ts` with the service that forked it, and ends when that service is gone.
 */

import { rmSync } from "node:fs";
import { parameterCount } from "../../parameters.js";
import type { TokenisedText } from "../../tokeniser.js";
import type { EngineSetup, FromEngine, RunPart, ToEngine } from "../protocol.js";
import { gatherRows } from "../rows.js";
import { padBatch } from "../session/padding.js";
import { batchTokensMax } from "./batch-budget.js";
import { createDirectionIntake, type DirectionIntake } from "./direction-intake.js";
import { loadModel } from "./load.js";
import { createScheduler, pendingRow, type Scheduler } from "./scheduler.js";
import type { SessionHandle } from "./session-handle.js";
import { createSumsMemory, type SumsMemory } from "./sums-memory.js";
import { createTokenising, type Tokenising } from "./tokenising.js";
import { createTrees, type Trees } from "./trees.js";

/** How long interactive requests may keep bulk waiting. */
const BULK_PAUSE_MS_MAX = 500;

interface Engine {
  readonly tokenising: Tokenising;
  readonly scheduler: Scheduler;
  readonly directions: DirectionIntake;
  readonly sums: SumsMemory;
  readonly trees: Trees;
}

let engine: Engine | null = null;

let scratch: string | null = null;

let outbox: FromEngine[] = [];

/**
 * All messages of one turn are sent together, after the session has got its batch, because sending costs both ends more than the
 * content. A service that has died needs no answer: `disconnect` ends this process.
 */
function send(message: FromEngine): void {
  outbox.push(message);
  if (outbox.length > 1) return;
  queueMicrotask(() => {
    const messages = outbox;
    outbox = [];
    process.send?.(messages, undefined, undefined, () => undefined);
  });
}

async function load(setup: EngineSetup): Promise<void> {
  const { tokenise, threads, wide, device, missing } = await loadModel(setup, {
    onScratch(directory) {
      scratch = directory;
      send({ type: "scratch", directory });
    },
    onUnshared: (reason) => send({ type: "unshared", reason }),
  });
  const scheduler = createScheduler({
    threads,
    wide,
    tokensMax: batchTokensMax(device, setup),
    bulkPauseMsMax: BULK_PAUSE_MS_MAX,
    pad: (rows) => padBatch(rows, setup.folder.manifest, device),
    onStarted: (batch, parts) => send({ type: "started", batch, parts }),
    onFinished: (batch, parts, facts) => send({ type: "finished", batch, parts, facts }),
    onFailed: (batch, reason, of) => send({ type: "batch_failed", batch, reason, of }),
  });
  const tokenising = createTokenising({
    tokenise,
    onTokenised: (part, from, texts) => tokenised(scheduler, part, from, texts),
    onFailed: (run, reason) => send({ type: "refused", run, reason }),
  });
  const count = parameterCount(setup.folder.manifest);
  const withOperands = wide?.thread ?? (threads[0] as SessionHandle);
  engine = {
    tokenising,
    scheduler,
    directions: createDirectionIntake(withOperands, count),
    sums: createSumsMemory(withOperands, count),
    trees: createTrees(setup.folder, send),
  };
  send({ type: "ready", device, missing });
}

function tokenised(
  scheduler: Scheduler,
  { run, rows, work, coefficients, priority, alone }: RunPart,
  from: number,
  texts: readonly TokenisedText[],
): void {
  send({
    type: "tokenised",
    run,
    rows: rows.slice(from, from + texts.length),
    tokens: Int32Array.from(texts, (text) => text.ids.length),
    truncated: Uint8Array.from(texts, (text) => (text.truncated ? 1 : 0)),
  });
  scheduler.add(
    priority,
    texts.map((text, index) =>
      pendingRow({
        run,
        row: rows[from + index] as number,
        text,
        work,
        coefficients: coefficients && gatherRows(coefficients, rows.length, [from + index]),
        alone,
      }),
    ),
  );
}

process.on("message", (message: ToEngine): void => {
  switch (message.type) {
    case "load":
      load(message).catch((error: Error) => send({ type: "failed", reason: error.message }));
      break;
    case "run":
      engine?.tokenising.add(message);
      break;
    case "trees":
      engine?.trees.run(message);
      break;
    case "ping":
      send({ type: "pong" });
      break;
    case "cancel":
      engine?.tokenising.cancel(message.run);
      engine?.scheduler.cancel(message.run);
      break;
    case "direction":
      engine?.directions.add(message);
      break;
    case "forget_direction":
      engine?.directions.forget(message.digest);
      break;
    case "sums_open":
      engine?.sums.open(message.name);
      break;
    case "sums_norm":
      void engine?.sums.norm(message.name).then((value) => send({ type: "answer", ask: message.ask, value }));
      break;
    case "sums_read": {
      const { name, ask, at, length, scale } = message;
      const value = engine?.sums.read(name, at, length, scale);
      if (value !== undefined) send({ type: "answer", ask, value });
      break;
    }
    case "sums_forget":
      engine?.sums.forget(message.name);
  }
});

// The service has closed the channel, which it does when no run is left, or it has died: nobody waits for an answer. An exit
// while a session runs or is opened would abort the process with a core dump, so it is killed instead.
process.on("disconnect", () => {
  if (scratch !== null) rmSync(scratch, { recursive: true, force: true });
  if (engine === null || engine.tokenising.busy() || engine.scheduler.busy() || engine.trees.busy())
    process.kill(process.pid, "SIGKILL");
  process.exit(0);
});
// A terminal's Ctrl-C reaches the whole process group, but the service decides when its engines end.
process.on("SIGINT", () => undefined);
process.on("SIGTERM", () => undefined);
