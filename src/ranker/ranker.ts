import { AssayError } from "../errors.js";
import { startEngineHost } from "./engine/host.js";
import type { BatchFacts } from "./engine/protocol.js";
import { describeModel, type ModelFolder } from "./model-folder.js";
import type { Precision, Ranker, RankerState } from "./port.js";

/** What the service wants to know of a ranker at work. */
export interface RankerObserver {
  batch(model: string, facts: BatchFacts): void;
  state(model: string, state: RankerState): void;
  /** Samples that wait for the model or run in it. */
  queued(model: string, samples: number): void;
}

export interface RankerOptions {
  readonly precision: Precision;
  /** Threads inside one operator. */
  readonly threads: number;
  /** Samples that may wait for the model at once; a run over it is refused unless nothing else waits. */
  readonly queueSamplesMax: number;
  readonly observer: RankerObserver;
}

/** Starts the folder's engine process and returns at once; `state` tells when the model is ready. */
export function openRanker(folder: ModelFolder, options: RankerOptions): Ranker {
  const model = describeModel(folder, options.precision);
  const { observer } = options;
  const engine = startEngineHost({
    directory: folder.directory,
    precision: options.precision,
    threads: options.threads,
    onBatch: (facts) => observer.batch(model.name, facts),
    onState: (state) => observer.state(model.name, state),
  });
  let queued = 0;

  function queue(samples: number): void {
    queued += samples;
    observer.queued(model.name, queued);
  }

  return {
    model,
    state: engine.state,
    async run(texts, precision, signal) {
      if (queued > 0 && queued + texts.length > options.queueSamplesMax) {
        throw new AssayError("overloaded", {
          detail: `${queued} samples wait for model ${model.name}; the queue takes ${options.queueSamplesMax}`,
        });
      }
      queue(texts.length);
      try {
        return await engine.run(texts, precision, signal);
      } finally {
        queue(-texts.length);
      }
    },
    close: engine.close,
  };
}
