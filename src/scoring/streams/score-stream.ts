import { AssayError, type Fault, faultsError, relocated } from "../../errors.js";
import { isGroupLoss, type SignalName } from "../../importance/types.js";
import type { Rankers } from "../../ranker/port.js";
import { modelNameOf } from "../batch/open-models.js";
import { defaultSignals } from "../batch/plan.js";
import { type ScoreAnswer, scoreSamples } from "../batch/score.js";
import { patiently } from "../directions/patience.js";
import type { Ports, Watch } from "../ports.js";
import { suitLoss } from "../requests/checks.js";
import type { Limits } from "../requests/limits.js";
import { textLengthOf } from "../requests/sample.js";
import type { ScoreRequest } from "../requests/score-request.js";
import { brokenBy, groupFault, wholeGroups } from "./groups.js";
import {
  type FaultyLine,
  faulty,
  isFaulty,
  placeIn,
  type StreamedLine,
  type StreamedResults,
  type StreamedSample,
} from "./lines.js";

/** What a stream is scored for. Its samples get signals and no weights, which compare them with the samples of one batch. */
export type StreamRequest = Omit<
  ScoreRequest,
  "samples" | "weighting" | "trajectory" | "exact_fraction" | "seed"
>;

/** What scoring a stream needs to know, and whom it tells. */
export interface StreamNeeds {
  readonly limits: Pick<Limits, "samplesMax" | "bodyBytesMax">;
  readonly watch: Watch;
  /** Called with the answer of each batch. */
  onScored(answer: ScoreAnswer): void;
}

/** A batch is full with this many lines or characters. */
const LINES = 512;
const CHARS = 2 ** 21;
/** Batches that are scored at once, so that the model has work while the next batch is read. */
const BATCHES = 2;

/**
 * Scores a stream of samples in batches, in constant memory: one result or one fault for each line, in their order. A line with a
 * fault does not keep the others from being scored. With a group loss, all lines of its group have the fault. An id that occurs
 * again counts as scored again. If the ranker is overloaded, waits.
 *
 * Throws what `scoreSamples` throws for faults that belong to no sample.
 */
export async function* scoreStream(
  ports: Ports,
  request: StreamRequest,
  lines: AsyncIterable<readonly StreamedLine[]>,
  needs: StreamNeeds,
): AsyncGenerator<StreamedResults> {
  const { model } = ports.rankers.get(modelNameOf(ports.rankers, request.model));
  const byGroup = isGroupLoss(suitLoss(request.loss, model));
  const chunks = byGroup ? wholeGroups(lines, needs.limits) : lines;
  // The dataset keeps what comes last of an id, so batches that it remembers must not overtake one another.
  const atOnce = request.dataset === undefined ? BATCHES : 1;
  const running: Promise<StreamedResults>[] = [];
  for await (const batch of batches(chunks, { ...needs.limits, byGroup })) {
    const scored = scoreBatch(ports, { ...request, weighting: null }, batch, { ...needs, byGroup });
    scored.catch(() => undefined); // It is awaited below, unless an earlier one fails.
    running.push(scored);
    if (running.length >= atOnce) yield* await Promise.all(running.splice(0, 1));
  }
  for (const scored of running) yield await scored;
}

/** What the results of a stream may have. Throws `model_not_found` and `unsuitable_loss`. */
export function streamColumns(
  rankers: Rankers,
  { model: name, signals, loss }: StreamRequest,
): { readonly classes: number; readonly signals: readonly SignalName[] } {
  const { model } = rankers.get(modelNameOf(rankers, name));
  const { classes } = model;
  return { classes, signals: signals ?? defaultSignals(EITHER, suitLoss(loss, model), classes) };
}

/** A sample with a label and one without. */
const EITHER = [{ text: "", label: 0 }, { text: "" }];

/**
 * Batches of whole chunks with `byGroup`, or else of single lines. No id occurs twice in a batch, unless it does in one group.
 */
async function* batches(
  chunks: AsyncIterable<readonly StreamedLine[]>,
  { samplesMax, byGroup }: Pick<Limits, "samplesMax"> & { readonly byGroup: boolean },
): AsyncGenerator<StreamedLine[]> {
  const full = Math.min(LINES, samplesMax);
  let batch: StreamedLine[] = [];
  let chars = 0;
  const ids = new Set<string>();
  const isKnown = (line: StreamedLine): boolean =>
    !isFaulty(line) && line.sample.id !== undefined && ids.has(line.sample.id);

  function add(line: StreamedLine): void {
    batch.push(line);
    if (isFaulty(line)) return;
    chars += textLengthOf(line.sample);
    if (line.sample.id !== undefined) ids.add(line.sample.id);
  }

  /** The batch, which begins anew; null if `count` more lines fit into it. */
  function closed(count: number, hasKnown: boolean): StreamedLine[] | null {
    const isFull = batch.length + count > full || chars >= CHARS;
    if (batch.length === 0 || (!isFull && !hasKnown)) return null;
    const whole = batch;
    batch = [];
    chars = 0;
    ids.clear();
    return whole;
  }

  for await (const lines of chunks) {
    if (byGroup) {
      const whole = closed(lines.length, lines.some(isKnown));
      if (whole !== null) yield whole;
      lines.forEach(add);
      continue;
    }
    for (const line of lines) {
      const whole = closed(1, isKnown(line));
      if (whole !== null) yield whole;
      add(line);
    }
  }
  if (batch.length > 0) yield batch;
}

/** Scores the samples of a batch. Those with a fault are left out, and the others are scored again without them. */
async function scoreBatch(
  ports: Ports,
  request: Omit<ScoreRequest, "samples">,
  batch: readonly StreamedLine[],
  { watch, onScored, byGroup }: StreamNeeds & { readonly byGroup: boolean },
): Promise<StreamedResults> {
  const lines = [...batch];
  for (;;) {
    const places = lines.flatMap((line, index) => (isFaulty(line) ? [] : [index]));
    if (places.length === 0) return { lines: lines as FaultyLine[], answer: null };
    const located = places.map((place) => lines[place] as StreamedSample);
    const samples = located.map(({ sample }) => sample);
    try {
      const answer = await patiently(() => scoreSamples(ports, { ...request, samples }, watch), watch.caller);
      onScored(answer);
      // Outputs that wait to be kept take memory, so a stream must not run ahead of them.
      await answer.kept;
      let scored = 0;
      return { lines: lines.map((line) => (isFaulty(line) ? line : scored++)), answer };
    } catch (error) {
      const faults = faultsBySample(error);
      if (faults === null) throw error;
      for (const [index, own] of faults) {
        const line = located[index] as StreamedSample;
        const code = (error as AssayError).code;
        const placed = relocated(faultsError(code, own), (of) => placeIn(located[of] as StreamedSample));
        lines[places[index] as number] = faulty(line, placed as AssayError);
        if (byGroup) breakGroup(lines, line);
      }
    }
  }
}

/** Gives the rest of a line's group its fault. */
function breakGroup(lines: StreamedLine[], broken: StreamedSample): void {
  for (const [index, line] of lines.entries())
    if (!isFaulty(line) && line.sample.group === broken.sample.group)
      lines[index] = groupFault(line, brokenBy(broken));
}

/** The faults of an error by the sample of the request that has them; null if one of them belongs to no sample. */
function faultsBySample(error: unknown): ReadonlyMap<number, readonly Fault[]> | null {
  if (!(error instanceof AssayError) || error.faults.length === 0) return null;
  const bySample = new Map<number, Fault[]>();
  for (const fault of error.faults) {
    if (typeof fault.sample !== "number") return null;
    bySample.set(fault.sample, [...(bySample.get(fault.sample) ?? []), fault]);
  }
  return bySample;
}
