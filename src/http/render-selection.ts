import type { FastifyReply, FastifyRequest } from "fastify";
import type { z } from "zod";
import { giveTurn } from "../observe/turns.js";
import { packedIdAt } from "../scoring/datasets/packed-ids.js";
import type { DatasetSelection, SelectionFacts } from "../scoring/datasets/select-dataset.js";
import { NDJSON_MEDIA_TYPE } from "./plugins/ndjson.js";
import { answerInParts, problemLine } from "./plugins/streamed-answer.js";
import { renderTime } from "./render.js";
import type { selectAnswerSchema, selectedSampleSchema, selectionFactsSchema } from "./schemas/selection.js";

/** Samples or strata that are rendered at once. More are answered in parts, so that other requests get their turns. */
const ROWS_AT_ONCE = 1000;

export function renderSelectionFacts({
  hashedIds,
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
    hashed_ids: hashedIds,
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
  return Math.max(facts.selected, facts.strata?.length ?? 0) > ROWS_AT_ONCE;
}

/** The JSON of `renderSelection` in parts. Other requests get their turns between them. */
export async function* selectionParts(selection: DatasetSelection): AsyncGenerator<string> {
  yield* factsParts(selection.facts);
  yield ',"samples":';
  yield* listParts(selection.facts.selected, (start, end) => samplesAt(selection, start, end));
  yield "}";
}

/** The JSON of the facts in parts, without the brace that closes it. */
async function* factsParts(facts: SelectionFacts): AsyncGenerator<string> {
  const { strata } = facts;
  const { strata: _, ...rest } = renderSelectionFacts({ ...facts, strata: null });
  yield `${JSON.stringify(rest).slice(0, -1)},"strata":`;
  if (strata === null) yield "null";
  else yield* listParts(strata.length, (start, end) => strata.slice(start, end));
}

/** The JSON of a list in parts. */
async function* listParts(
  count: number,
  rowsAt: (start: number, end: number) => readonly object[],
): AsyncGenerator<string> {
  yield "[";
  for (let start = 0; start < count; start += ROWS_AT_ONCE) {
    await giveTurn();
    const rows = rowsAt(start, Math.min(count, start + ROWS_AT_ONCE));
    yield `${start === 0 ? "" : ","}${JSON.stringify(rows).slice(1, -1)}`;
  }
  yield "]";
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
  yield* factsParts(selection.facts);
  yield "}\n";
  const { selected } = selection.facts;
  for (let start = 0; start < selected; start += ROWS_AT_ONCE) {
    await giveTurn();
    yield samplesAt(selection, start, Math.min(selected, start + ROWS_AT_ONCE))
      .map(lineOf)
      .join("");
  }
}

function lineOf(value: object): string {
  return `${JSON.stringify(value)}\n`;
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
