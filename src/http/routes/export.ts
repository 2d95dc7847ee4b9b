import type { FastifyPluginAsyncZod } from "@fastify/type-provider-zod";
import { z } from "zod";
import { exportDataset } from "../../scoring/datasets/export.js";
import { storeUntil } from "../../scoring/requests/store-until.js";
import type { Store } from "../../store/port.js";
import { acceptedFormat, EXPORT_FORMATS, FORMATS } from "../export/formats.js";
import type { TableHead } from "../export/table.js";
import { callerOf, timeoutHeadersSchema } from "../plugins/caller.js";
import { closingSignal } from "../plugins/closing.js";
import { answerInParts, encodedParts, problemLine } from "../plugins/streamed-answer.js";
import { datasetParamsSchema, wholeNumberQuery } from "../schemas/dataset.js";
import { problems, STORE_PROBLEMS } from "../schemas/problem.js";

const exportQuerySchema = z.strictObject({
  format: z
    .enum(EXPORT_FORMATS)
    .optional()
    .describe("Default: the format that the `Accept` header prefers, or else `ndjson`"),
  snapshot: wholeNumberQuery(z.int().min(1).optional()).describe(
    "Version of the snapshot of the column `weight`. Default: the newest.",
  ),
});

export function exportRoutes({ store }: { readonly store: Store }): FastifyPluginAsyncZod {
  return async (app) => {
    const closing = closingSignal(app);
    app.get(
      "/v1/datasets/:dataset/export",
      {
        schema: {
          operationId: "exportDataset",
          summary: "Export the whole dataset as a stream",
          description:
            "One row for each sample, in any order: `id`, `label`, `source`, `group` (its digest), `model`, `loss_name`, `precision`, `observed`, `scored_at`, a column for each signal, one for each extra (`extras.NAME`), and `weight`. A value is null, or an empty cell, where the sample has none. In Arrow and Parquet a label of K probabilities is in the column `label_probabilities`. The columns are those that the samples have at the beginning: a signal that arrives during the export is left out. Samples that are written or deleted during the export may or may not be in it. If the export fails after its first bytes, the connection is cut before the end of the answer, and the last line of NDJSON is a problem, which has a `code`. The header `assay-snapshot` names the snapshot of the weights. If the dataset keeps keyed hashes instead of ids, the column `id` has these, and the header `assay-hashed-ids` is `true`.",
          tags: ["datasets"],
          headers: timeoutHeadersSchema,
          params: datasetParamsSchema,
          querystring: exportQuerySchema,
          response: {
            200: z.string().describe("The dataset in the format that was asked for"),
            ...problems("dataset_not_found", "snapshot_not_found", "shutting_down", ...STORE_PROBLEMS),
          },
        },
      },
      async (request, reply) => {
        const { dataset } = request.params;
        const { format = acceptedFormat(request.headers.accept), snapshot: version } = request.query;
        const caller = callerOf(request, reply);
        const signal = AbortSignal.any([caller.signal, closing]);
        const reached = storeUntil(store, { ...caller, signal });
        const exported = await exportDataset(reached, dataset, version);
        const { mediaType, open } = FORMATS[format];
        if (exported.snapshot !== null) reply.header("assay-snapshot", exported.snapshot.version);
        if (exported.hashedIds) reply.header("assay-hashed-ids", "true");
        reply
          .type(mediaType)
          .header("vary", "accept")
          .header("content-disposition", attachment(`${dataset}.${format}`));
        const head: TableHead = { ...exported, dataset };
        const lastLine = format === "ndjson" ? problemLine : null;
        return answerInParts(request, reply, encodedParts(open(head), exported.chunks), lastLine);
      },
    );
  };
}

/** A header that names the file (RFC 6266, RFC 8187). */
function attachment(name: string): string {
  const encodedName = encodeURIComponent(name).replace(
    /['()*]/g,
    (each) => `%${each.charCodeAt(0).toString(16)}`,
  );
  return `attachment; filename*=UTF-8''${encodedName}`;
}
