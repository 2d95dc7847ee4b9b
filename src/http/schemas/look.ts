import { z } from "zod";
import type { ColumnRange, RankCursor, SampleFilter } from "../../scoring/looks/rank-samples.js";
import { SLICED_BY } from "../../scoring/looks/slices.js";
import { sourceSchema } from "../../scoring/requests/names.js";
import { limitSchema, rememberedFieldsSchema, timeSchema, wholeNumberQuery } from "./dataset.js";
import { hashedIdsSchema } from "./dataset-settings.js";

/** Most ranges of a filter, and most columns of histograms. */
const RANGES_MAX = 8;
const COLUMNS_MAX = 16;
/** Most slices of one answer. */
const SLICES_MAX = 1000;
/** Most bins of a histogram. A map has so many in each direction. */
const BINS_MAX = 200;

const NUMBER = "[+-]?(?:\\d+\\.?\\d*|\\.\\d+)(?:[eE][+-]?\\d+)?";
const RANGE = new RegExp(`^([^:]+):(${NUMBER})?\\.\\.(${NUMBER})?$`);

const columnName = z.string().min(1).max(80);
/** A parameter that may be given several times. */
function several<T extends z.ZodType>(item: T, most: number) {
  return z.preprocess(
    (given) => (given === undefined || Array.isArray(given) ? given : [given]),
    z.array(item).max(most),
  );
}

const filterFields = {
  label: z
    .string()
    .regex(new RegExp(`^${NUMBER}$`), "must be a number")
    .optional()
    .describe("Only samples with this label"),
  source: sourceSchema.optional(),
  range: several(
    z.string().regex(RANGE, "must be NAME:MIN..MAX, where MIN or MAX may be left out"),
    RANGES_MAX,
  )
    .optional()
    .describe(
      "`NAME:MIN..MAX`: only samples whose signal, extra or weight lies in the range, ends included; either end may be left out. May be given several times.",
    ),
};

/** A cursor is a float32 and a number in hex. */
const CURSOR = /^([0-9a-f]{8})-([0-9a-f]{1,8})$/;

export const rankedQuerySchema = z.strictObject({
  sort: z
    .string()
    .regex(/^-?[^-].*$/, "must be a name, with a minus sign before it for the largest first")
    .max(81)
    .default("-loss")
    .describe("A signal, `extras.NAME` or `weight`; with a minus sign before it, the largest first"),
  ...filterFields,
  cursor: z
    .string()
    .regex(CURSOR, "is not the next_cursor of a page: send one as it was answered")
    .optional(),
  limit: limitSchema,
});

const columnsField = several(columnName, COLUMNS_MAX)
  .default(["loss"])
  .describe("A signal, `extras.NAME` or `weight`. May be given several times.");

export const histogramQuerySchema = z.strictObject({
  column: columnsField,
  bins: wholeNumberQuery(z.int().min(1).max(BINS_MAX).default(50)),
  scale: z
    .enum(["linear", "log"])
    .default("linear")
    .describe("`log`: bins of equal ratio, which leave out values of 0 and below"),
  map: z.enum(["true", "false"]).default("false").describe("Also count the pairs of the first two columns"),
  ...filterFields,
});

export const sliceQuerySchema = z.strictObject({
  by: z.enum(SLICED_BY).default("source"),
  column: columnsField,
  limit: wholeNumberQuery(z.int().min(1).max(SLICES_MAX).default(100)),
  ...filterFields,
});

export const rankedPageSchema = z
  .object({
    dataset: z.string(),
    hashed_ids: hashedIdsSchema,
    built_at: timeSchema.describe("When the index was made from which the order comes"),
    samples: z.array(rememberedFieldsSchema),
    next_cursor: z
      .string()
      .nullable()
      .describe("Send it as `cursor` for the next page; null on the last page"),
  })
  .describe("A page of samples. Samples without the value that they are sorted by are left out.");

export const histogramListSchema = z
  .object({
    dataset: z.string(),
    built_at: timeSchema,
    columns: z
      .array(z.string())
      .describe("Every column of the dataset: the signals and extras that samples have, and `weight`"),
    histograms: z.array(
      z.object({
        column: z.string(),
        count: z.number().int(),
        missing: z.number().int().describe("Samples that pass the filter but have no value that is counted"),
        edges: z.array(z.number()).describe("One more than there are bins; empty if nothing is counted"),
        counts: z.array(z.number().int()),
        mean: z.number().nullable(),
        quantiles: z.record(z.string(), z.number()).describe("By percent: 0, 1, 5, 25, 50, 75, 95, 99, 100"),
      }),
    ),
    map: z
      .array(z.array(z.number().int()))
      .nullable()
      .describe(
        "Counts of pairs: a row for each bin of the second column, from the lowest; null without `map`",
      ),
  })
  .describe("Histograms of a dataset");

export const sliceListSchema = z
  .object({
    dataset: z.string(),
    built_at: timeSchema,
    samples: z.number().int().describe("Samples that pass the filter"),
    slices_total: z.number().int().describe("Slices with samples, also those beyond `limit`"),
    slices: z.array(
      z.object({
        name: z
          .string()
          .nullable()
          .describe("The source, or the label as a number; null: the samples without one"),
        samples: z.number().int(),
        share: z.number().describe("Its part of the samples that pass the filter"),
        labelled: z.number().int(),
        weight_share: z
          .number()
          .nullable()
          .describe("Its part of the weights in the newest snapshot; null before the first"),
        effective_sample_size: z.number().nullable().describe("(Σw)²/Σw² over its weights"),
        means: z.array(
          z.object({
            column: z.string(),
            count: z.number().int().describe("Samples of the slice that have a value"),
            mean: z.number().nullable(),
            standard_error: z.number().nullable().describe("Of the mean; null for fewer than two values"),
          }),
        ),
      }),
    ),
  })
  .describe("A dataset by source or label, the largest slices first");

type Filter = Pick<z.infer<typeof rankedQuerySchema>, "label" | "source" | "range">;

export function filterOf({ label, source, range = [] }: Filter): SampleFilter {
  return {
    ...(label !== undefined && { label: Number(label) }),
    ...(source !== undefined && { source }),
    ranges: range.map((text): ColumnRange => {
      const [, column = "", min, max] = RANGE.exec(text) ?? [];
      return {
        column,
        min: min === undefined ? Number.NEGATIVE_INFINITY : Number(min),
        max: max === undefined ? Number.POSITIVE_INFINITY : Number(max),
      };
    }),
  };
}

export function sortOf({ sort }: { readonly sort: string }): { sort: string; descending: boolean } {
  const descending = sort.startsWith("-");
  return { sort: descending ? sort.slice(1) : sort, descending };
}

export function cursorOf({ cursor }: { readonly cursor?: string | undefined }): RankCursor | null {
  const [, value, number] = CURSOR.exec(cursor ?? "") ?? [];
  if (value === undefined || number === undefined) return null;
  return { value: Buffer.from(value, "hex").readFloatBE(0), number: Number.parseInt(number, 16) };
}

export function renderCursor({ value, number }: RankCursor): string {
  const bytes = Buffer.alloc(4);
  bytes.writeFloatBE(value, 0);
  return `${bytes.toString("hex")}-${number.toString(16)}`;
}
