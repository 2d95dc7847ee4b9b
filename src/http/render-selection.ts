import { setImmediate as turn } from "node:timers/promises";
import type { FastifyReply, FastifyRequest } from "fastify";
import type { z } from "zod";
import { packedIdAt } from "../scoring/datasets/packed-ids.js";
import type { DatasetSelection, SelectionFacts } from "../scoring/datasets/select-dataset.js";
import { NDJSON_MEDIA_TYPE } from "./plugins/ndjson.js";
import { answerInParts, problemLine } from "./plugins/streamed-answer.js";
import { renderTime } from "./render.js";
import type { selectAnswerSchema, selectedSampleSchema, selectionFactsSchema } from "./schemas/selection.js";

/** Samples that are rendered at once. A selection of more is answered in parts, so that other requests get their turns. */
const SAMPLES_AT_ONCE = 1000;

export function renderSelectionFacts({
  selectedAtMs,
  samples,
  withoutScore,
  embedding,
  withoutEmbedding,
  neverDrawn,
  models,
  losses,
  strata,
  advice,
  ...facts
}: SelectionFacts): z.infer<typeof selectionFactsSchema> {
  return {
    ...facts,
    models: [...models],
    losses: [...losses],
    selected_at: renderTime(selectedAtMs),
    samples_in_dataset: samples,
    without_score: withoutScore,
    embedding: embedding && { ...embedding },
    without_embedding: withoutEmbedding,
    never_drawn: neverDrawn,
    strata: strata?.map((each) => ({ ...each })) ?? null,
    advice: [...advice],
  };
}

/** The whole selection as one answer, for one that is small enough: see `needsParts`. */
export function renderSelection(selection: DatasetSelection): z.infer<typeof selectAnswerSchema> {
  return {
    ...renderSelectionFacts(selection.facts),
    samples: samplesAt(selection, 0, selection.facts.selected),
  };
}

/** Whether the selection is too large to be rendered in one turn of the event loop. */
export function needsParts({ facts }: DatasetSelection): boolean {
  return facts.selected > SAMPLES_AT_ONCE;
}

/** The JSON of `renderSelection` in parts, one for each turn of the event loop. */
export async function* selectionParts(selection: DatasetSelection): AsyncGenerator<string> {
  const facts = JSON.stringify(renderSelectionFacts(selection.facts));
  yield `${facts.slice(0, -1)},"samples":[`;
  for await (const samples of inTurns(selection)) {
    const { start, rendered } = samples;
    yield `${start === 0 ? "" : ","}${JSON.stringify(rendered).slice(1, -1)}`;
  }
  yield "]}";
}

/** Answers the selection in JSON lines: its facts, then a line for each sample. */
export function answerSelectionInLines(
  selection: DatasetSelection,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply> {
  reply.type(NDJSON_MEDIA_TYPE).header("vary", "accept");
  return answerInParts(request, reply, linesOf(selection), problemLine);
}

async function* linesOf(selection: DatasetSelection): AsyncGenerator<string> {
  yield lineOf(renderSelectionFacts(selection.facts));
  for await (const { rendered } of inTurns(selection)) yield rendered.map(lineOf).join("");
}

function lineOf(value: object): string {
  return `${JSON.stringify(value)}\n`;
}

interface RenderedSamples {
  readonly start: number;
  readonly rendered: z.infer<typeof selectedSampleSchema>[];
}

async function* inTurns(selection: DatasetSelection): AsyncGenerator<RenderedSamples> {
  const { selected } = selection.facts;
  for (let start = 0; start < selected; start += SAMPLES_AT_ONCE) {
    await turn();
    yield { start, rendered: samplesAt(selection, start, Math.min(selected, start + SAMPLES_AT_ONCE)) };
  }
}

function samplesAt(
  { ids, estimator }: DatasetSelection,
  start: number,
  end: number,
): z.infer<typeof selectedSampleSchema>[] {
  const idAt = packedIdAt(ids);
  return Array.from({ length: end - start }, (_, offset) => {
    const index = start + offset;
    return {
      id: idAt(index),
      count: estimator?.counts[index] ?? 1,
      probability: estimator?.probabilities[index] ?? null,
      multiplier: estimator?.multipliers[index] ?? null,
    };
  });
}
