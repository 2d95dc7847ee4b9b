import { type AssayError, faultsError, type SamplePlace } from "../../errors.js";
import type { Limits } from "./limits.js";
import { type Sample, textLengthOf } from "./sample.js";

/** A sample and its place in the input: its index in a list, or `line 17` of a stream. */
export interface LocatedSample {
  readonly sample: Sample;
  readonly place: SamplePlace;
}

/** The place of the sample at each index, as a function for `relocated`. */
export function placesOf(samples: readonly Pick<LocatedSample, "place">[]): (index: number) => SamplePlace {
  return (index) => samples[index]?.place ?? index;
}

/** What a batch reads of a sample. */
interface BatchedSample {
  readonly sample: Pick<Sample, "group"> & Partial<Pick<Sample, "query" | "document" | "text">>;
  readonly place: SamplePlace;
}

/** When a batch is full: with so many samples, or as soon as their sizes sum to so much. */
export interface BatchSize<S> {
  readonly samples: number;
  readonly size: number;
  sizeOf(sample: S): number;
}

/** By characters. */
const DEFAULT_SIZE: BatchSize<BatchedSample["sample"]> = {
  samples: 256,
  size: 2 ** 21,
  sizeOf: textLengthOf,
};

/**
 * The samples in batches, in their order. Memory does not grow with the number of samples. With `byGroup` a batch holds whole
 * groups: each sample needs a group, the samples of a group must follow one another, and the names of all groups are remembered.
 *
 * With `byGroup`, throws `invalid_sample` if a sample has no group, if its group has ended before, or if a group is larger than
 * a request may be.
 */
export async function* sampleBatches<T extends BatchedSample>(
  samples: Iterable<T> | AsyncIterable<T>,
  byGroup: boolean,
  limits: Pick<Limits, "samplesMax" | "bodyBytesMax">,
  size: Partial<BatchSize<T["sample"]>> = {},
): AsyncGenerator<T[]> {
  const full = { ...DEFAULT_SIZE, ...size };
  const beginsUnit = byGroup ? groupBeginnings(limits) : (): boolean => true;
  let batch: T[] = [];
  let held = 0;
  for await (const located of samples) {
    const begins = beginsUnit(located);
    if (begins && (batch.length >= full.samples || held >= full.size)) {
      yield batch;
      batch = [];
      held = 0;
    }
    batch.push(located);
    held += full.sizeOf(located.sample);
  }
  if (batch.length > 0) yield batch;
}

/** The samples sorted so that those of a group follow one another. Groups keep the order of their first samples. */
export function groupedTogether(samples: readonly LocatedSample[]): LocatedSample[] {
  const groups = new Map<string | undefined, LocatedSample[]>();
  for (const located of samples) {
    const known = groups.get(located.sample.group);
    if (known === undefined) groups.set(located.sample.group, [located]);
    else known.push(located);
  }
  return [...groups.values()].flat();
}

/** A function that takes the samples in turn and tells whether each is the first of its group. */
function groupBeginnings({
  samplesMax,
  bodyBytesMax,
}: Pick<Limits, "samplesMax" | "bodyBytesMax">): (located: BatchedSample) => boolean {
  const begun = new Set<string>();
  let current: string | undefined;
  let samples = 0;
  let chars = 0;
  return (located) => {
    const { group } = located.sample;
    if (group === undefined) throw fault(located, "is required: the loss compares the samples of a group");
    const begins = group !== current;
    if (begins) {
      if (begun.has(group))
        throw fault(located, "ended before: the samples of a group must follow one another");
      begun.add(group);
      current = group;
      samples = 0;
      chars = 0;
    }
    samples += 1;
    chars += textLengthOf(located.sample);
    if (samples > samplesMax) throw fault(located, `has more than ${samplesMax} samples`);
    if (chars > bodyBytesMax) throw fault(located, `has texts of more than ${bodyBytesMax} characters`);
    return begins;
  };
}

function fault({ place }: BatchedSample, message: string): AssayError {
  return faultsError("invalid_sample", [{ sample: place, path: "/group", message }]);
}
