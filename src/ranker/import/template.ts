import { z } from "zod";
import { AssayError } from "../../errors.js";
import type { Manifest } from "../manifest.js";

type Template = Manifest["pair"];
type Element = Template["pair"][number];

const pieceSchema = z.union([
  z.strictObject({ SpecialToken: z.object({ id: z.string(), type_id: z.number() }) }),
  z.strictObject({ Sequence: z.object({ id: z.enum(["A", "B"]), type_id: z.number() }) }),
]);

const tokenSchema = z.tuple([z.string(), z.number()]);

const templateSchema = z.looseObject({
  type: z.literal("TemplateProcessing"),
  single: z.array(pieceSchema),
  pair: z.array(pieceSchema),
  special_tokens: z.record(z.string(), z.object({ ids: z.array(z.number()) })),
});
const bertSchema = z.looseObject({ type: z.literal("BertProcessing"), sep: tokenSchema, cls: tokenSchema });
const robertaSchema = z.looseObject({
  type: z.literal("RobertaProcessing"),
  sep: tokenSchema,
  cls: tokenSchema,
});

/**
 * Reads from the `post_processor` of a `tokenizer.json` how one text and a pair become ids (Hugging Face tokenizers,
 * tokenizers/src/processors). Throws `model_invalid` if its kind is not known or it does not keep the texts in order.
 */
export function readTemplate(tokenizerJson: Readonly<Record<string, unknown>>): Template {
  const [processor, ...others] = joining(tokenizerJson.post_processor);
  if (processor === undefined) {
    throw refused("tokenizer.json has no post_processor that says how two texts are joined");
  }
  if (others.length > 0) {
    throw refused(
      `tokenizer.json has ${others.length + 1} post_processors that join texts, and one is supported`,
    );
  }
  const template = templateSchema.safeParse(processor);
  if (template.success) return inOrder(fromTemplate(template.data));
  const bert = bertSchema.safeParse(processor);
  if (bert.success) {
    const [cls, sep] = [bert.data.cls[1], bert.data.sep[1]];
    return {
      ...{ single: [cls, "A", sep], single_type_ids: [0, 0, 0] },
      ...{ pair: [cls, "A", sep, "B", sep], pair_type_ids: [0, 0, 0, 1, 1] },
    };
  }
  const roberta = robertaSchema.safeParse(processor);
  if (roberta.success) {
    const [cls, sep] = [roberta.data.cls[1], roberta.data.sep[1]];
    return {
      ...{ single: [cls, "A", sep], single_type_ids: [0, 0, 0] },
      ...{ pair: [cls, "A", sep, sep, "B", sep], pair_type_ids: [0, 0, 0, 0, 0, 0] },
    };
  }
  const { type } = processor as { type?: unknown };
  throw refused(
    `tokenizer.json joins texts with the post_processor ${JSON.stringify(type)}, which is not supported`,
  );
}

/** The processors that add tokens. ByteLevel is not one of them: it only moves offsets. */
function joining(processor: unknown): unknown[] {
  const { type, processors } = (processor ?? {}) as { type?: string; processors?: unknown[] };
  if (type === "Sequence") return (processors ?? []).flatMap(joining);
  return type === undefined || type === "ByteLevel" ? [] : [processor];
}

function fromTemplate({ single, pair, special_tokens }: z.infer<typeof templateSchema>): Template {
  function spell(pieces: readonly z.infer<typeof pieceSchema>[]): [Element[], number[]] {
    const elements: Element[] = [];
    const typeIds: number[] = [];
    for (const piece of pieces) {
      if ("Sequence" in piece) {
        elements.push(piece.Sequence.id);
        typeIds.push(piece.Sequence.type_id);
        continue;
      }
      const { id, type_id } = piece.SpecialToken;
      const ids = special_tokens[id]?.ids;
      if (ids === undefined) throw refused(`the template of tokenizer.json does not give the ids of ${id}`);
      elements.push(...ids);
      typeIds.push(...ids.map(() => type_id));
    }
    return [elements, typeIds];
  }
  const [[one, oneTypes], [two, twoTypes]] = [spell(single), spell(pair)];
  return { single: one, single_type_ids: oneTypes, pair: two, pair_type_ids: twoTypes };
}

function inOrder(template: Template): Template {
  const slots = ({ single, pair }: Template): string =>
    [single, pair]
      .map((elements) => elements.filter((element) => typeof element === "string").join(" then "))
      .join(", ");
  if (slots(template) === "A, A then B") return template;
  throw refused(
    `the template of tokenizer.json holds ${slots(template)}; it has to hold A for one text, and A then B for two`,
  );
}

function refused(detail: string): AssayError {
  return new AssayError("model_invalid", { detail });
}
