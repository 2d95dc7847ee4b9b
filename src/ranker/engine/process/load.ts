import { AssayError, messageOf } from "../../../errors.js";
import { checkDigests } from "../../digests.js";
import { forwardGraph, type Work } from "../../graphs.js";
import { loadTokeniser, type Tokeniser } from "../../tokeniser.js";
import type { Device, EngineSetup } from "../protocol.js";
import { checkSelfTest, type SelfTestBatch, selfTestBatches, selfTestTexts } from "../session/self-test.js";
import { batchTokensMax } from "./batch-budget.js";
import { cudaFailure } from "./cuda.js";
import type { WideSession } from "./scheduler.js";
import { type SessionHandle, startSession } from "./session-handle.js";

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
export async function loadModel(setup: EngineSetup): Promise<LoadedModel> {
  const { folder } = setup;
  await checkDigests(folder);
  const tokenise = await loadTokeniser(folder);
  const rows = await tokenise(selfTestTexts(folder));
  const batchesOn = (device: Device, brief: boolean): SelfTestBatch[] =>
    selfTestBatches(folder, rows, { device, tokensMax: batchTokensMax(device, setup), brief });
  const brief: Brief = (device) => batchesOn(device, true);
  const { threads, device, missing } = await openThreads(setup, brief);
  for (const { batch, samples } of batchesOn(device, false)) {
    const { outputs } = await (threads[0] as SessionHandle).run(firstWork(setup), batch, null);
    checkSelfTest(folder, samples, outputs.logits, {
      exact: setup.precision === "fp32" && device.kind === "cpu",
    });
  }
  const wide = await openWide(setup, device, brief);
  return { tokenise, threads, wide, device, missing };
}

/** Opens the wide session. Null on a GPU, and if one session already has all cores. */
async function openWide(setup: EngineSetup, device: Device, brief: Brief): Promise<WideSession | null> {
  const { folder, sessions } = setup;
  if (device.kind !== "cpu" || sessions === 1) return null;
  const threads = sessions * setup.threads;
  const thread = startSession({ folder, device, threads, selfTest: brief(device) });
  const work = firstWork(setup);
  await thread.open(work);
  return { thread, graph: work.graph, tokensMax: batchTokensMax(device, { threads }) };
}

/** The work of the first session. */
function firstWork({ precision }: EngineSetup): Work {
  return { graph: forwardGraph(precision), asked: [], operand: null };
}

type Brief = (device: Device) => SelfTestBatch[];

async function openThreads(
  setup: EngineSetup,
  brief: Brief,
): Promise<Pick<LoadedModel, "threads" | "device" | "missing">> {
  const { device } = setup;
  try {
    return { threads: await openOn(device, setup, brief), device, missing: null };
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
    return { threads: await openOn(CPU, setup, brief), device: CPU, missing: reason };
  }
}

async function openOn(device: Device, setup: EngineSetup, brief: Brief): Promise<SessionHandle[]> {
  const { folder, sessions, threads } = setup;
  const opened = Array.from({ length: device.kind === "cpu" ? sessions : 1 }, () =>
    startSession({ folder, device, threads, selfTest: brief(device) }),
  );
  try {
    await Promise.all(opened.map((thread) => thread.open(firstWork(setup))));
  } catch (error) {
    await Promise.all(opened.map((thread) => thread.close()));
    throw error;
  }
  return opened;
}
