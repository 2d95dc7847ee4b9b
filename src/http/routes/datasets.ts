import type { FastifyPluginAsyncZod } from "@fastify/type-provider-zod";
import { z } from "zod";
import { deleteDataset, listSnapshots, readDataset } from "../../scoring/datasets/remembered.js";
import { setDataset } from "../../scoring/datasets/settings.js";
import type { Store } from "../../store/port.js";
import { portsUntil, timeoutHeadersSchema } from "../plugins/caller.js";
import { renderDataset, renderSnapshot } from "../render.js";
import {
  datasetListSchema,
  datasetParamsSchema,
  datasetSummarySchema,
  pageQuerySchema,
  snapshotListSchema,
} from "../schemas/dataset.js";
import { datasetSettingsSchema } from "../schemas/dataset-settings.js";
import { BODY_PROBLEMS, problems, STORE_PROBLEMS } from "../schemas/problem.js";

export function datasetRoutes(ports: { store: Store }): FastifyPluginAsyncZod {
  return async (app) => {
    app.get(
      "/v1/datasets",
      {
        schema: {
          operationId: "listDatasets",
          summary: "List the datasets with their counts",
          tags: ["datasets"],
          headers: timeoutHeadersSchema,
          querystring: pageQuerySchema,
          response: { 200: datasetListSchema, ...problems(...STORE_PROBLEMS) },
        },
      },
      async (request, reply) => {
        const { query } = request;
        const page = await portsUntil(ports, request, reply).store.listDatasets(
          query.cursor ?? null,
          query.limit,
        );
        return { datasets: page.items.map(renderDataset), next_cursor: page.cursor };
      },
    );

    app.get(
      "/v1/datasets/:dataset",
      {
        schema: {
          operationId: "readDataset",
          summary: "Describe one dataset and count its samples",
          tags: ["datasets"],
          headers: timeoutHeadersSchema,
          params: datasetParamsSchema,
          response: {
            200: datasetSummarySchema,
            ...problems("dataset_not_found", ...STORE_PROBLEMS),
          },
        },
      },
      async (request, reply) => {
        const { store } = portsUntil(ports, request, reply);
        return renderDataset(await readDataset(store, request.params.dataset));
      },
    );

    app.put(
      "/v1/datasets/:dataset",
      {
        schema: {
          operationId: "setDataset",
          summary: "Set what a dataset keeps",
          description:
            "Makes the dataset if there is none. A setting that is left out stays as it is, so the request can be repeated.",
          tags: ["datasets"],
          headers: timeoutHeadersSchema,
          params: datasetParamsSchema,
          body: datasetSettingsSchema,
          response: {
            200: datasetSummarySchema,
            ...problems("invalid_json", "dataset_not_empty", ...BODY_PROBLEMS, ...STORE_PROBLEMS),
          },
        },
      },
      async (request, reply) => {
        const { embedding, hashed_ids: hashedIds } = request.body;
        const settings = {
          ...(embedding !== undefined && {
            embedding: embedding && { type: embedding.type, bytesMax: embedding.bytes_max },
          }),
          ...(hashedIds !== undefined && { hashedIds }),
        };
        const { store } = portsUntil(ports, request, reply);
        return renderDataset(await setDataset(store, request.params.dataset, settings));
      },
    );

    app.get(
      "/v1/datasets/:dataset/snapshots",
      {
        schema: {
          operationId: "listSnapshots",
          summary: "List the snapshots of weights that the dataset keeps",
          tags: ["datasets"],
          headers: timeoutHeadersSchema,
          params: datasetParamsSchema,
          response: { 200: snapshotListSchema, ...problems("dataset_not_found", ...STORE_PROBLEMS) },
        },
      },
      async (request, reply) => {
        const { store } = portsUntil(ports, request, reply);
        const snapshots = await listSnapshots(store, request.params.dataset);
        return { snapshots: snapshots.map(renderSnapshot) };
      },
    );

    app.delete(
      "/v1/datasets/:dataset",
      {
        schema: {
          operationId: "deleteDataset",
          summary: "Delete a dataset with its samples and snapshots",
          tags: ["datasets"],
          headers: timeoutHeadersSchema,
          params: datasetParamsSchema,
          response: {
            204: z.null().describe("Deleted"),
            ...problems("dataset_not_found", ...BODY_PROBLEMS, ...STORE_PROBLEMS),
          },
        },
      },
      async (request, reply) => {
        await deleteDataset(portsUntil(ports, request, reply).store, request.params.dataset);
        return reply.code(204).send(null);
      },
    );
  };
}
