import { createFatalTexts } from "../../src/ranker/engine/host/fatal-texts.js";
import {
  type EngineHost,
  type EngineHostOptions,
  startEngineHost,
} from "../../src/ranker/engine/host/host.js";
import type { EngineSetup } from "../../src/ranker/engine/protocol.js";
import { readManifest, SHIPPED } from "./model.js";

/** An engine process on the shipped model, with one session of two threads, except for what is given. */
export function startEngine(
  { directory = SHIPPED, ...setup }: Partial<EngineSetup> & { directory?: string } = {},
  observers: Partial<Omit<EngineHostOptions, "setup">> = {},
): EngineHost {
  return startEngineHost({
    setup: {
      folder: { directory, manifest: readManifest(directory) },
      precision: "fp32",
      device: { kind: "cpu" },
      fallback: false,
      sessions: 1,
      threads: 2,
      ...setup,
    },
    fatalTexts: createFatalTexts(),
    onBatch: () => undefined,
    onTokenised: () => undefined,
    onState: () => undefined,
    onFault: () => undefined,
    onDeath: () => undefined,
    onDevice: () => undefined,
    onUnshared: () => undefined,
    onQueue: () => undefined,
    ...observers,
  });
}
