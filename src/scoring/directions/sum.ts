import { relocated, throwFaults } from "../../errors.js";
import { directionCoefficients } from "../../importance/direction-coefficients.js";
import type { LossName } from "../../importance/types.js";
import type { Accumulation, Text } from "../../ranker/port.js";
import type { DirectionKind } from "../../store/port.js";
import { type KnownOutputs, knownOutputs } from "../outputs/outputs.js";
import type { ModelPorts, WantedRecord, Watch } from "../ports.js";
import { checkLabels } from "../requests/checks.js";
import { textOf } from "../requests/sample.js";
import { type LocatedSample, placesOf } from "../requests/sample-batches.js";
import { patiently } from "./patience.js";

/** The accumulation for the sums, and what is needed to fill it. */
export interface DirectionSums extends ModelPorts {
  readonly accumulation: Accumulation;
  readonly kind: DirectionKind;
  readonly loss: LossName;
  /** Throws if the sums are no longer of use. */
  readonly checkUse: () => void;
}

/** Who waits for a direction, and how they hear of its progress. */
export interface DirectionWatch extends Watch {
  /** Called after each batch with the number of samples whose gradients have been summed. */
  readonly onProgress: (samples: number) => void;
}

export interface Totals {
  readonly samples: number;
  readonly zeroGradients: number;
}

/** Most batches whose gradients are summed at once. With only one, the sessions would be idle each time a batch ends. */
const ADDING_MAX = 2;

/**
 * Adds the gradients of all samples to the accumulation. It computes the outputs of one batch while the gradients of earlier
 * batches are summed. When it returns or throws, all additions have settled.
 */
export async function sumGradients(
  { ranker, store, accumulation, kind, loss, checkUse }: DirectionSums,
  batches: AsyncIterable<readonly LocatedSample[]> | Iterable<readonly LocatedSample[]>,
  watch: DirectionWatch,
): Promise<Totals> {
  const { caller, stopwatch, onProgress } = watch;
  const wanted: WantedRecord =
    kind === "mean_direction" ? { graph: "norms" } : { graph: "forward", precision: "fp32" };
  let samples = 0;
  let zeroGradients = 0;
  const adding: Promise<void>[] = [];

  async function add(
    batch: readonly LocatedSample[],
    { moving, texts, coefficients }: Addend,
    kept: KnownOutputs["kept"],
  ): Promise<void> {
    if (moving.length > 0)
      await locating(moving, () => patiently(() => accumulation.add(texts, coefficients, caller), caller));
    await kept; // otherwise the backlog of writes to the store would grow with the stream
    samples += batch.length;
    onProgress(samples);
  }

  try {
    for await (const batch of batches) {
      checkUse();
      requireLabels(batch, loss, ranker.model.classes);
      const texts = batch.map(({ sample }) => textOf(sample));
      const outputs = await locating(batch, () =>
        patiently(() => knownOutputs({ ranker, store }, texts, wanted, watch), caller, adding.at(-1)),
      );
      const addend = addendOf(kind, outputs, batch, loss);
      zeroGradients += addend.zeroGradients;
      if (adding.length === ADDING_MAX) await adding.shift();
      stopwatch.lap("accumulate");
      const added = add(batch, addend, outputs.kept);
      added.catch(() => undefined); // no unhandled rejection: the code that awaits it gets the error
      adding.push(added);
    }
    await Promise.all(adding);
    stopwatch.lap("accumulate");
  } finally {
    await Promise.allSettled(adding);
  }
  return { samples, zeroGradients };
}

/** Throws `missing_label` or `unsuitable_label` with the place of each fault. */
export function requireLabels(batch: readonly LocatedSample[], loss: LossName, classes: number): void {
  const absent = batch.filter(({ sample: { label = null } }) => label === null);
  throwFaults(
    "missing_label",
    absent.map(({ place }) => ({ sample: place, path: "/label", message: "is required" })),
  );
  const samples = batch.map(({ sample }) => sample);
  try {
    checkLabels(samples, loss, classes);
  } catch (error) {
    throw relocated(error, placesOf(batch));
  }
}

/** What a batch adds to the sums. */
interface Addend {
  /** (M) The samples whose gradient is not 0. */
  readonly moving: readonly LocatedSample[];
  readonly texts: readonly Text[]; // (M)
  readonly coefficients: Float32Array; // (M, K)
  readonly zeroGradients: number;
}

function addendOf(
  kind: DirectionKind,
  outputs: KnownOutputs,
  batch: readonly LocatedSample[],
  loss: LossName,
): Addend {
  const { classes } = outputs;
  const labels = batch.map(({ sample: { label = null } }) => label);
  const groups = batch.map(({ sample: { group = null } }) => group);
  const { coefficients, zeroGradients } = directionCoefficients(kind, outputs, labels, loss, groups);
  const rows = batch.map((located, row) => ({
    located,
    text: textOf(located.sample),
    own: coefficients.subarray(row * classes, (row + 1) * classes),
  }));
  const moving = rows.filter(({ own }) => own.some((c) => c !== 0));
  return {
    moving: moving.map(({ located }) => located),
    texts: moving.map(({ text }) => text),
    coefficients: Float32Array.from(moving.flatMap(({ own }) => [...own])),
    zeroGradients,
  };
}

/** Runs `work`. Faults that it throws name each sample by its place in the input. */
async function locating<T>(ran: readonly LocatedSample[], work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw relocated(error, placesOf(ran));
  }
}
