import { setImmediate as turn } from "node:timers/promises";
import type { FastifyReply, FastifyRequest } from "fastify";
import type { z } from "zod";
import { packedIdAt } from "../scoring/datasets/packed-ids.js";
import type { DatasetSelection, SelectionFacts } from "../scoring/datasets/select-dataset.js";
import { NDJSON_MEDIA_TYPE } from "./plugins/ndjson.js";
import { answerInParts, problemLine } from "./plugins/streamed-answer.js";
import { renderTime } from "./render.js";
import type { selectAnswerSchema, selectedSampleSchema, selectionFactsSchema } from "./schemas/selection.js";

/** Lines that are made at once. */
const LINES_MAX = 1000;

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

/** The whole selection as one answer. */
export function renderSelection(selection: DatasetSelection): z.infer<typeof selectAnswerSchema> {
  const sampleAt = sampleRenderer(selection);
  return {
    ...renderSelectionFacts(selection.facts),
    samples: Array.from({ length: selection.facts.selected }, (_, index) => sampleAt(index)),
  };
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
  const { facts } = selection;
  const sampleAt = sampleRenderer(selection);
  yield lineOf(renderSelectionFacts(facts));
  for (let start = 0; start < facts.selected; start += LINES_MAX) {
    await turn();
    let lines = "";
    for (let index = start; index < Math.min(facts.selected, start + LINES_MAX); index++)
      lines += lineOf(sampleAt(index));
    yield lines;
  }
}

function lineOf(value: object): string {
  return `${JSON.stringify(value)}\n`;
}

function sampleRenderer({
  ids,
  estimator,
}: DatasetSelection): (index: number) => z.infer<typeof selectedSampleSchema> {
  const idAt = packedIdAt(ids);
  return (index) => ({
    id: idAt(index),
    count: estimator?.counts[index] ?? 1,
    probability: estimator?.probabilities[index] ?? null,
    multiplier: estimator?.multipliers[index] ?? null,
  });
}
