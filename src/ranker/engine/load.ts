import { AssayError } from "../../errors.js";
import { checkDigests } from "../model-folder.js";
import { loadTokeniser, type Tokeniser } from "../tokeniser.js";
import { cudaFailure } from "./cuda.js";
import { padBatch } from "./padding.js";
import type { Device, EngineSetup } from "./protocol.js";
import { checkSelfTest, selfTestTexts } from "./self-test.js";
import { type SessionThread, startSessionThread } from "./session-threads.js";

/** A model whose files match their digests and whose sessions have passed the self-test. */
export interface LoadedModel {
  readonly tokenise: Tokeniser;
  readonly threads: readonly SessionThread[];
  readonly device: Device;
  /** Why the device that was asked for could not be had; null where it is the one in use. */
  readonly missing: string | null;
}

const CPU: Device = { kind: "cpu" };

/** Throws `model_invalid` where the folder is faulty, `device_unavailable` where the device is missing and nothing may stand in. */
export async function loadModel(setup: EngineSetup): Promise<LoadedModel> {
  const { folder } = setup;
  await checkDigests(folder);
  const tokenise = await loadTokeniser(folder);
  const { threads, device, missing } = await openThreads(setup);
  const batch = padBatch(selfTestTexts(folder).map(tokenise), folder.manifest, device);
  const { outputs } = await (threads[0] as SessionThread).run(setup.precision, batch);
  checkSelfTest(folder, outputs.logits, { precision: setup.precision, onCpu: device.kind === "cpu" });
  return { tokenise, threads, device, missing };
}

async function openThreads(setup: EngineSetup): Promise<Pick<LoadedModel, "threads" | "device" | "missing">> {
  const { device } = setup;
  try {
    return { threads: await openOn(device, setup), device, missing: null };
  } catch (error) {
    const { message } = error as Error;
    if (device.kind === "cpu") throw new AssayError("model_invalid", { detail: message, cause: error });
    const reason = cudaFailure(message);
    if (!setup.fallback) {
      throw new AssayError("device_unavailable", {
        detail: `No session on cuda:${device.index}: ${reason}`,
        cause: error,
      });
    }
    return { threads: await openOn(CPU, setup), device: CPU, missing: reason };
  }
}

async function openOn(
  device: Device,
  { folder, sessions, threads, precision }: EngineSetup,
): Promise<SessionThread[]> {
  const opened = Array.from({ length: device.kind === "cpu" ? sessions : 1 }, () =>
    startSessionThread({ folder, device, threads }),
  );
  try {
    await Promise.all(opened.map((thread) => thread.open(precision)));
  } catch (error) {
    await Promise.all(opened.map((thread) => thread.close()));
    throw error;
  }
  return opened;
}
