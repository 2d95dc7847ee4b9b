import type { FastifyInstance } from "fastify";

type Headers = Readonly<Record<string, string>>;

/** `POST /v1/score` without a socket. */
export function postScore(app: FastifyInstance, payload: object, headers: Headers = {}) {
  return app.inject({ method: "POST", url: "/v1/score", headers, payload });
}

/** `POST /v1/datasets/{dataset}/weights`. */
export function postWeights(app: FastifyInstance, dataset: string, payload: object) {
  return app.inject({ method: "POST", url: `/v1/datasets/${dataset}/weights`, payload });
}

/** `POST /v1/datasets/{dataset}/lookup`. */
export function postLookup(app: FastifyInstance, dataset: string, ids: readonly string[]) {
  return app.inject({ method: "POST", url: `/v1/datasets/${dataset}/lookup`, payload: { ids } });
}
