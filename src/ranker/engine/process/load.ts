import { AssayError, messageOf } from "../../../errors.js";
import { checkDigests } from "../../digests.js";
import { forwardGraph, type Work } from "../../graphs.js";
import { loadTokeniser, type Tokeniser } from "../../tokeniser.js";
import type { Device, EngineSetup } from "../protocol.js";
import {
  checkSelfTest,
  closenessOf,
  type SelfTestBatch,
  selfTestBatches,
  selfTestTexts,
} from "../session/self-test.js";
import { batchTokensMax, wideTokensMax } from "./batch-budget.js";
import { cudaFailure } from "./cuda.js";
import type { WideSession } from "./scheduler.js";
import { type SessionHandle, startSession } from "./session-handle.js";
import { createWeightsSource, type WeightsSource, type WeightsSourceObservers } from "./weights-source.js";

/** A model whose files match their digests and whose sessions have passed the self-test. */
export interface LoadedModel {
  readonly tokenise: Tokeniser;
  readonly threads: readonly SessionHandle[];
  readonly wide: WideSession | null;
  readonly device: Device;
  /** Why the requested device is not available; null if it is the one in use. */
  readonly missing: string | null;
}

const CPU: Device = { kind: "cpu" };

/**
 * Throws `model_invalid` if the folder has a fault, and `device_unavailable` if the device is missing and there is no fallback.
 */
export async function loadModel(setup: EngineSetup, observers: WeightsSourceObservers): Promise<LoadedModel> {
  const { folder } = setup;
  await checkDigests(folder);
  const tokenise = await loadTokeniser(folder);
  const rows = await tokenise(selfTestTexts(folder));
  const batchesOn = (device: Device, brief: boolean): SelfTestBatch[] =>
    selfTestBatches(folder, rows, { device, tokensMax: batchTokensMax(device, setup), brief });
  const brief: Brief = (device) => batchesOn(device, true);
  const opening: Opening = { setup, brief, observers };
  const { threads, device, missing, source } = await openThreads(opening);
  for (const { batch, samples } of batchesOn(device, false)) {
    const work = firstWork(setup);
    const { outputs } = await (threads[0] as SessionHandle).run(work, batch, null);
    checkSelfTest(folder, samples, outputs.logits, closenessOf(work.graph, device));
  }
  const wide = await openWide(opening, device, source);
  return { tokenise, threads, wide, device, missing };
}

/** Opens the wide session. Null on a GPU, and if one session already has all cores. */
async function openWide(
  { setup, brief }: Opening,
  device: Device,
  source: WeightsSource,
): Promise<WideSession | null> {
  const { folder, sessions } = setup;
  if (device.kind !== "cpu" || sessions === 1) return null;
  const threads = sessions * setup.threads;
  const thread = startSession({ folder, device, threads, selfTest: brief(device) }, source);
  const work = firstWork(setup);
  await thread.open(work);
  return { thread, graph: work.graph, tokensMax: wideTokensMax(threads) };
}

/** The work of the first session. */
function firstWork({ precision }: EngineSetup): Work {
  return { graph: forwardGraph(precision), asked: [], operand: null };
}

type Brief = (device: Device) => SelfTestBatch[];

interface Opening {
  readonly setup: EngineSetup;
  readonly brief: Brief;
  readonly observers: WeightsSourceObservers;
}

interface Opened extends Pick<LoadedModel, "threads" | "device" | "missing"> {
  readonly source: WeightsSource;
}

async function openThreads(opening: Opening): Promise<Opened> {
  const { setup } = opening;
  const { device } = setup;
  try {
    return { ...(await openOn(device, opening)), device, missing: null };
  } catch (error) {
    const message = messageOf(error);
    if (device.kind === "cpu") throw new AssayError("model_invalid", { detail: message, cause: error });
    const reason = cudaFailure(message);
    if (!setup.fallback) {
      throw new AssayError("device_unavailable", {
        detail: `No session can be opened on cuda:${device.index}: ${reason}`,
        cause: error,
      });
    }
    return { ...(await openOn(CPU, opening)), device: CPU, missing: reason };
  }
}

async function openOn(
  device: Device,
  { setup, brief, observers }: Opening,
): Promise<Pick<Opened, "source" | "threads">> {
  const { folder, sessions, threads } = setup;
  const source = createWeightsSource(folder, device, observers);
  const opened = Array.from({ length: device.kind === "cpu" ? sessions : 1 }, () =>
    startSession({ folder, device, threads, selfTest: brief(device) }, source),
  );
  try {
    await Promise.all(opened.map((thread) => thread.open(firstWork(setup))));
  } catch (error) {
    await Promise.all(opened.map((thread) => thread.close()));
    throw error;
  }
  return { source, threads: opened };
}
