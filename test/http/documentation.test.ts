import type { FastifyInstance } from "fastify";
import { beforeEach, describe, expect, it } from "vitest";
import { ERRORS, type ErrorCode } from "../../src/errors.js";
import { testApp } from "../support/app.js";
import { PARAMETERS } from "../support/fake-gradients.js";
import { fakeRanker, fakeRankers } from "../support/fake-rankers.js";
import type { Json } from "../support/post.js";

interface Operation {
  readonly method: "GET" | "POST" | "PUT" | "DELETE";
  readonly path: string;
  readonly described: Json;
}

/** A request as the document shows it. */
interface Shown {
  readonly url: string;
  readonly headers: Record<string, string>;
  readonly payload?: string | Buffer;
}

/** The body where one has to be bytes: a scale of ones over the fake model's parameters. */
const BYTES = Buffer.from(new Float32Array(PARAMETERS).fill(1).buffer);

let app: FastifyInstance;
let operations: Operation[];

beforeEach(async () => {
  const rankers = fakeRankers(fakeRanker(), fakeRanker({ name: "epoch-1" }));
  app = await testApp({
    rankers: {
      ...rankers,
      // The fake ranker reads no weights.
      reload: async (name) => rankers.inspect(name).model,
      replaceWeights: async (name) => rankers.inspect(name).model,
    },
  });
  const { paths } = (await app.inject("/openapi.json")).json();
  operations = Object.entries<Json>(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, described]) => ({
      method: method.toUpperCase() as Operation["method"],
      path,
      described,
    })),
  );
});

/** The requests that an operation shows, by name: one, without a name, of an operation that takes neither parameter nor body. */
function requestsOf({ path, described }: Operation): [string, Shown][] {
  const { parameters = [], requestBody = { content: {} } } = described;
  const bodies = Object.entries<Json>(requestBody.content);
  const examples = [...parameters, ...bodies.map(([, media]) => media)].map(({ examples = {} }) => examples);
  const names = [...new Set(examples.flatMap((named) => Object.keys(named)))];
  return (names.length > 0 ? names : [""]).map((name) => {
    let url = path;
    const query = new URLSearchParams();
    for (const { name: parameter, in: where, examples = {} } of parameters) {
      if (examples[name] === undefined) continue;
      const { value } = examples[name];
      if (where === "path") url = url.replace(`{${parameter}}`, encodeURIComponent(value));
      else query.set(parameter, value);
    }
    const [type, media] = bodies.find(([, { examples = {} }]) => examples[name]) ?? bodies[0] ?? [];
    const value = media?.examples?.[name]?.value ?? BYTES;
    return [
      name,
      {
        url: query.size === 0 ? url : `${url}?${query}`,
        headers: type === undefined ? {} : { "content-type": type },
        ...(type !== undefined && {
          payload: typeof value === "string" || Buffer.isBuffer(value) ? value : JSON.stringify(value),
        }),
      },
    ];
  });
}

/** Those that forget come last, so that there is something to read. */
function inOrder(all: readonly Operation[]): Operation[] {
  const rank = ({ described: { operationId }, method }: Operation): number =>
    ["score", "makeDirection"].includes(operationId) ? 0 : method === "DELETE" ? 2 : 1;
  return [...all].sort((a, b) => rank(a) - rank(b) || b.path.length - a.path.length);
}

describe("the OpenAPI document", () => {
  it("shows at least two requests of each operation that takes anything, and each is answered as documented", async () => {
    const lines: string[] = [];
    for (const operation of inOrder(operations)) {
      const { method, described } = operation;
      const shown = requestsOf(operation);
      if (described.parameters || described.requestBody)
        expect(shown.length, described.operationId).toBeGreaterThan(1);
      const documented = Object.keys(described.responses).find((status) => status.startsWith("2"));
      for (const [name, { url, ...request }] of shown) {
        const answer = await app.inject({ method, url, ...request });
        lines.push(`${method} ${url} ${answer.statusCode}`);
        expect(String(answer.statusCode), `${described.operationId} ${name}: ${answer.body}`).toBe(
          documented,
        );
        const { content = {} } = described.responses[answer.statusCode];
        const type = String(answer.headers["content-type"]).split(";")[0] as string;
        if (answer.body !== "") expect(Object.keys(content), url).toContain(type);
      }
    }
    expect(lines.length).toBeGreaterThan(30);
  });

  it("names every operation, its tag and what it does", () => {
    const ids = operations.map(({ described }) => described.operationId);
    expect(new Set(ids).size).toBe(operations.length);
    for (const { described, path } of operations) {
      expect(described, path).toMatchObject({
        operationId: expect.stringMatching(/^[a-z][A-Za-z]+$/),
        summary: expect.stringMatching(/\w/),
        tags: [expect.any(String)],
      });
    }
  });

  it("lists the problems of each operation under their own titles, and no others", () => {
    for (const { described, path } of operations) {
      for (const [status, { description, content = {} }] of Object.entries<Json>(described.responses)) {
        if (content["application/problem+json"] === undefined) continue;
        const lines = description.split("\n");
        for (const line of lines) {
          const [, code, title] = /^- `([a-z_]+)`: (.*)$/.exec(line) as RegExpExecArray;
          expect(title, `${path} ${status}`).toBe(ERRORS[code as ErrorCode]);
        }
      }
    }
    const described = (id: string): Json =>
      operations.find(({ described }) => described.operationId === id)?.described;
    expect(described("readDirection").responses["404"].description).toBe(
      "- `direction_not_found`: No direction has this name",
    );
    expect(described("weighDataset").responses["422"].description).not.toContain("invalid_sample");
    expect(described("alive").responses["401"]).toBeUndefined();
  });

  it("has the bodies that are not JSON, so that a client made from it can send them", () => {
    const body = (id: string): Json =>
      operations.find(({ described }) => described.operationId === id)?.described.requestBody;
    expect(Object.keys(body("makeDirection").content)).toEqual(["application/json", "application/x-ndjson"]);
    expect(body("replaceWeights")).toEqual({
      required: true,
      content: {
        "application/vnd.assay.weights": { schema: { type: "string", format: "binary" } },
        "application/octet-stream": { schema: { type: "string", format: "binary" } },
      },
    });
  });
});

describe("a query parameter that is not known", () => {
  it("is refused on every route, by its name", async () => {
    const hidden: Operation[] = [{ method: "GET", path: "/openapi.json", described: {} }];
    const seen: string[] = [];
    for (const operation of [...operations, ...hidden]) {
      const [, { url, ...request }] = requestsOf(operation)[0] as [string, Shown];
      const answer = await app.inject({
        method: operation.method,
        url: `${url}${url.includes("?") ? "&" : "?"}nobody=1`,
        ...request,
      });
      const named = `${operation.method} ${operation.path}`;
      expect({ named, ...answer.json() }).toMatchObject({
        named,
        status: 400,
        code: "invalid_request",
        faults: [
          { path: "nobody", message: expect.stringMatching(/^is not a query parameter of this route/) },
        ],
      });
      seen.push(named);
    }
    expect(seen.length).toBeGreaterThan(18);
    expect((await app.inject("/v1/datasets")).json().datasets).toEqual([]);
  });

  it("that is a field of the body is told where it belongs", async () => {
    const post = { method: "POST", payload: { weighting: { signal: "loss", scheme: "rank" } } } as const;
    const answer = await app.inject({ ...post, url: "/v1/datasets/d/weights?weighting=x" });
    expect(answer.json()).toMatchObject({
      status: 400,
      detail: "weighting is not a query parameter of this route, which takes none: it is a field of the body",
      faults: [{ path: "weighting" }],
    });
    const page = await app.inject("/v1/datasets?limits=5");
    expect(page.json().detail).toBe(
      "limits is not a query parameter of this route, which takes cursor, limit",
    );
  });
});

describe("the fault of a query parameter", () => {
  it.each([
    ["/v1/datasets?limit=1.5", "limit must be a whole number, written in digits"],
    ["/v1/datasets?limit=", "limit must be a whole number, written in digits"],
    ["/v1/datasets?limit=0", "limit must be at least 1"],
    ["/v1/datasets/d/samples?range=foo", /^range must be NAME:MIN\.\.MAX/],
    ["/v1/datasets/d/samples?range=loss:0..1&range=foo", /^range must be NAME:MIN\.\.MAX/],
    ["/v1/datasets/d/histograms?column=", /^column must have at least 1 character$/],
    ["/v1/datasets?a%2Fb=1", /^a\/b is not a query parameter/],
  ])("is named: %s", async (url, detail) => {
    const app = await testApp();
    const answer = await app.inject(url);
    const expected = typeof detail === "string" ? detail : expect.stringMatching(detail);
    expect(answer.json()).toMatchObject({ status: 400, detail: expected });
  });

  it("lists the signals that there are", async () => {
    const app = await testApp();
    const answer = await app.inject({
      method: "POST",
      url: "/v1/score?signals=loss,nope",
      headers: { "content-type": "application/x-ndjson" },
      payload: "",
    });
    expect(answer.json()).toMatchObject({
      status: 400,
      detail: expect.stringMatching(/^signals must be one of loss, .*grad_norm/),
      faults: [{ path: "signals" }],
    });
  });
});

describe("the page of the documentation", () => {
  /** As a proxy that strips /assay from the path passes it on. */
  const get = (url: URL) => app.inject(url.pathname.replace(/^\/assay/, ""));

  it("works behind a path prefix: every link of it is relative, and so is the server that it sends to", async () => {
    const entry = new URL("https://example.org/assay/docs");
    const moved = await get(entry);
    expect(moved.statusCode).toBe(302);
    const page = new URL(String(moved.headers.location), entry);
    expect(page.href).toBe("https://example.org/assay/docs/");

    const html = (await get(page)).body;
    const links = [...html.matchAll(/(?:href|src)="([^"]+)"/g)].map(
      ([, link]) => new URL(link as string, page),
    );
    expect(links.length).toBeGreaterThan(5);
    for (const link of links) {
      expect(link.href).toMatch(/^https:\/\/example\.org\/assay\/docs\//);
      expect((await get(link)).statusCode, link.href).toBe(200);
    }

    expect((await get(new URL("./static/swagger-initializer.js", page))).body).toContain(
      "resolveUrl('./json')",
    );
    for (const document of [new URL("./json", page), new URL("../openapi.json", page)]) {
      const [server] = (await get(document)).json().servers;
      expect(new URL(server.url, document).href).toBe("https://example.org/assay/");
    }
  });
});
