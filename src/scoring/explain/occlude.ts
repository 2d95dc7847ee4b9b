import { rowOf } from "../../importance/loss-gradients.js";
import type { Caller, Ranker, Text, Token } from "../../ranker/port.js";
import type { Explained, ExplainedPiece, Question } from "./explain.js";

/**
 * What each word adds to the logits and the loss: their values with it, less their values without it. It needs no gradients, and
 * one run of the model for each word that the model reads. Words that only work together each seem to do nothing. Throws as
 * `Ranker.run` does.
 */
export async function occludeWords(ranker: Ranker, question: Question, caller: Caller): Promise<Explained> {
  const { model } = ranker;
  const { text, classes, lossAt } = question;
  const words = wordsRead(text, await ranker.tokens(text));
  const texts = [text, ...words.map((word) => without(text, word))];
  const wanted = { graph: "forward", precision: model.precision } as const;
  const { logits } = await ranker.run(texts, wanted, caller);
  const losses = lossAt?.(logits).map(({ loss }) => loss) ?? null;
  const whole = Array.from(rowOf(logits, 0, model.classes));
  return {
    logits: whole,
    loss: losses?.[0] ?? null,
    pieces: words.map((word, index): ExplainedPiece => {
      const left = rowOf(logits, index + 1, model.classes);
      return {
        ...word,
        contributions: classes.map((k) => (whole[k] as number) - (left[k] as number)),
        lossContribution: losses === null ? null : (losses[0] as number) - (losses[index + 1] as number),
      };
    }),
    way: null,
  };
}

type Word = Pick<ExplainedPiece, "part" | "start" | "end">;

/** The words, between white space, of which the model reads a token: what it cuts off cannot move it. */
function wordsRead(text: Text, tokens: readonly Token[]): Word[] {
  const parts = [
    ["first", text.first],
    ["second", text.second ?? ""],
  ] as const;
  return parts.flatMap(([part, content]) => {
    const ends = tokens.flatMap((token) => (token.part === part ? [token.end] : []));
    const readTo = Math.max(0, ...ends);
    return wordsOf(content)
      .filter(({ start }) => start < readTo)
      .map((place) => ({ part, ...place }));
  });
}

/** The places of a text's words, in code points. */
function wordsOf(text: string): { start: number; end: number }[] {
  let [units, points] = [0, 0];
  return [...text.matchAll(/\S+/gu)].map(({ 0: word, index }) => {
    const start = points + lengthOf(text.slice(units, index));
    const end = start + lengthOf(word);
    [units, points] = [index + word.length, end];
    return { start, end };
  });
}

function lengthOf(text: string): number {
  return [...text].length;
}

function without(text: Text, { part, start, end }: Word): Text {
  const points = [...(text[part] ?? "")];
  return { ...text, [part]: [...points.slice(0, start), ...points.slice(end)].join("") };
}
