import { z } from "zod";
import { AssayError } from "../../errors.js";
import type { Manifest } from "../manifest.js";
import { readTemplate } from "./template.js";

/** The user's choices. If one is absent, the folder's files decide. */
export interface CheckpointChoices {
  readonly task?: Manifest["task"];
  readonly tokensMax?: number;
}

/** The parts of the manifest that come from the JSON files of a stock folder. */
export type CheckpointPart = Pick<
  Manifest,
  "task" | "classes" | "class_names" | "max_tokens" | "architecture" | "padding" | "pair"
>;

/** The JSON files of a stock folder, parsed. */
export interface CheckpointFiles {
  readonly config: unknown;
  readonly tokenizer: unknown;
  readonly tokenizerConfig: unknown;
}

/** A `model_max_length` from here on means no limit: tokenisers without one give 1e30. */
const TOKENS_UNLIMITED = 100_000;

const configSchema = z.looseObject({
  model_type: z.string(),
  id2label: z.record(z.string(), z.string()).optional(),
  num_labels: z.number().int().optional(),
  problem_type: z.string().nullish(),
  hidden_size: z.number().int().optional(),
  dim: z.number().int().optional(),
  max_position_embeddings: z.number().int().optional(),
  type_vocab_size: z.number().int().optional(),
  pad_token_id: z.number().int().nullish(),
  is_decoder: z.boolean().optional(),
});
type CheckpointConfig = z.infer<typeof configSchema>;

const nameSchema = z.union([
  z.string(),
  z.looseObject({ content: z.string() }).transform(({ content }) => content),
]);
const tokenizerConfigSchema = z.looseObject({
  model_max_length: z.number().optional(),
  pad_token: nameSchema.nullish(),
});
type TokenizerConfig = z.infer<typeof tokenizerConfigSchema>;

const tokenizerSchema = z.looseObject({
  added_tokens: z.array(z.looseObject({ id: z.number().int(), content: z.string() })).default([]),
  padding: z.looseObject({ pad_type_id: z.number().int() }).nullish(),
});
type TokenizerFile = z.infer<typeof tokenizerSchema>;

/**
 * Families that count positions from the padding id + 1, so their position table has that many rows more than there are
 * positions.
 */
const POSITIONS_AFTER_PADDING =
  /^(roberta|xlm-roberta|xlm-roberta-xl|camembert|roberta-prelayernorm|data2vec-text|longformer|mpnet|esm|ibert|luke|xmod)$/;

/**
 * Task, classes, longest input, padding and template. `inputs` are the graph's inputs, `classes` and `features` the sizes of its
 * last layer. Throws `model_invalid` naming what the files do not say or what Assay does not support.
 */
export function readCheckpoint(
  files: CheckpointFiles,
  graph: { readonly inputs: Manifest["inputs"]; readonly classes: number; readonly features: number },
  choices: CheckpointChoices,
): CheckpointPart {
  const config = parse(configSchema, files.config, "config.json");
  const tokenizer = parse(tokenizerSchema, files.tokenizer, "tokenizer.json");
  const tokenizerConfig = parse(tokenizerConfigSchema, files.tokenizerConfig, "tokenizer_config.json");
  if (config.is_decoder) throw refused("config.json sets is_decoder, and only encoders are served");
  const pair = readTemplate(tokenizer);
  const typeIds = Math.max(...pair.single_type_ids, ...pair.pair_type_ids);
  requireTokenTypes(config, typeIds, graph.inputs);
  const paddingId = paddingOf(config, tokenizer, tokenizerConfig);
  return {
    task: taskOf(config, graph.classes, choices.task),
    classes: graph.classes,
    class_names: classNames(config, graph.classes),
    max_tokens: choices.tokensMax ?? tokensMax(config, tokenizerConfig, paddingId),
    architecture: {
      family: config.model_type,
      hidden_size: config.hidden_size ?? config.dim ?? graph.features,
    },
    padding: { id: paddingId, type_id: tokenizer.padding?.pad_type_id ?? 0, side: "right" },
    pair,
  };
}

function taskOf(
  { problem_type }: CheckpointConfig,
  classes: number,
  asked?: Manifest["task"],
): Manifest["task"] {
  if (classes > 1) {
    if (problem_type === "multi_label_classification") {
      throw refused(
        "multi-label models (one sigmoid per class) are not served, because several logits are read as one softmax",
      );
    }
    if (asked !== undefined && asked !== "classification") {
      throw refused(`the task ${asked} needs one logit, but the graph answers ${classes}`);
    }
    return "classification";
  }
  if (asked === "classification")
    throw refused("classification needs several logits, but the graph answers one");
  return asked ?? (problem_type === "regression" ? "regression" : "binary");
}

/** The checkpoint's names of its classes; null if there are none or they are the library's default names LABEL_0, … */
function classNames({ id2label, num_labels }: CheckpointConfig, classes: number): string[] | null {
  const known = id2label === undefined ? num_labels : Object.keys(id2label).length;
  if (known !== undefined && known !== classes) {
    throw refused(`config.json has ${known} class(es), but the graph's last layer has ${classes}`);
  }
  const names = Array.from({ length: classes }, (_, k) => id2label?.[k] ?? `LABEL_${k}`);
  return names.every((name, k) => name === `LABEL_${k}`) ? null : names;
}

function tokensMax(
  config: CheckpointConfig,
  { model_max_length }: TokenizerConfig,
  paddingId: number,
): number {
  const limits: number[] = [];
  if (model_max_length !== undefined && model_max_length < TOKENS_UNLIMITED) limits.push(model_max_length);
  if (config.max_position_embeddings !== undefined && config.max_position_embeddings > 0) {
    const before = POSITIONS_AFTER_PADDING.test(config.model_type) ? paddingId + 1 : 0;
    limits.push(config.max_position_embeddings - before);
  }
  if (limits.length > 0) return Math.min(...limits);
  throw refused(
    "neither config.json nor tokenizer_config.json says how many tokens a text may have: pass --max-tokens",
  );
}

function paddingOf(
  { pad_token_id }: CheckpointConfig,
  { added_tokens }: TokenizerFile,
  { pad_token }: TokenizerConfig,
): number {
  // The tokeniser decides, because some configurations still have the default of their family.
  const id = added_tokens.find(({ content }) => content === pad_token)?.id ?? pad_token_id;
  if (id === undefined || id === null)
    throw refused("neither the tokeniser nor config.json names a padding token");
  return id;
}

function requireTokenTypes(
  { type_vocab_size }: CheckpointConfig,
  typeIdMost: number,
  inputs: Manifest["inputs"],
): void {
  if (!inputs.includes("token_type_ids")) {
    if (typeIdMost === 0 || (type_vocab_size ?? 1) < 2) return;
    throw refused(
      "the graph has no input token_type_ids, which tells the model which tokens are query and document: export it with that input",
    );
  }
  if (type_vocab_size !== undefined && type_vocab_size > 0 && typeIdMost >= type_vocab_size) {
    throw refused(
      `the tokeniser gives token type ${typeIdMost}, but the model knows only ${type_vocab_size} token types, from 0 on`,
    );
  }
}

/** The JSON of `file`, checked. Throws `model_invalid` naming the fields that do not fit the schema. */
export function parse<T>(schema: z.ZodType<T>, json: unknown, file: string): T {
  const parsed = schema.safeParse(json);
  if (parsed.success) return parsed.data;
  throw refused(`${file} has fields that are missing or wrong:\n${z.prettifyError(parsed.error)}`);
}

function refused(detail: string): AssayError {
  return new AssayError("model_invalid", { detail });
}
