import { describe, expect, it } from "vitest";
import { AssayError } from "../../src/errors.js";
import { testApp } from "../support/app.js";
import { fakeRanker, fakeRankers } from "../support/fake-rankers.js";

const samples = ["a", "b", "a", "c"].map((text) => ({ text, label: 1 }));

function post(app: Awaited<ReturnType<typeof testApp>>, headers: Record<string, string> = {}) {
  return app.inject({ method: "POST", url: "/v1/score", payload: { samples }, headers });
}

describe("a caller's deadline", () => {
  it("answers 504 once the time is over", async () => {
    const ranker = fakeRanker();
    ranker.setDelayMs(200);
    const response = await post(await testApp({ rankers: fakeRankers(ranker) }), {
      "assay-timeout-ms": "20",
    });
    expect(response.statusCode).toBe(504);
    expect(response.json()).toMatchObject({
      code: "deadline_exceeded",
      detail: expect.stringContaining("20 ms"),
    });
  });

  it("answers 200 where there is time", async () => {
    expect((await post(await testApp(), { "assay-timeout-ms": "60000" })).statusCode).toBe(200);
  });

  it.each(["0", "-5", "1.5", "soon", "99999999"])("refuses assay-timeout-ms: %s", async (text) => {
    const response = await post(await testApp(), { "assay-timeout-ms": text });
    expect(response.statusCode).toBe(400);
    expect(response.json()).toMatchObject({
      code: "invalid_request",
      faults: [
        { path: "assay-timeout-ms", message: expect.stringContaining("whole number of milliseconds") },
      ],
    });
  });
});

describe("an error of the model", () => {
  it("names the sample whose text ended the engine", async () => {
    const ranker = fakeRanker();
    // The ranker runs each distinct text once: its third is the fourth sample.
    ranker.failWith(
      new AssayError("text_refused", { faults: [{ path: "/2", message: "ended the engine" }] }),
    );
    const response = await post(await testApp({ rankers: fakeRankers(ranker) }));
    expect(response.statusCode).toBe(422);
    expect(response.json()).toMatchObject({
      code: "text_refused",
      faults: [{ path: "/samples/3", message: "ended the engine" }],
    });
  });

  it("gives Retry-After as long as the queue needs, in whole seconds", async () => {
    const ranker = fakeRanker();
    ranker.failWith(new AssayError("overloaded", { retryAfterMs: 7300 }));
    const response = await post(await testApp({ rankers: fakeRankers(ranker) }));
    expect(response.statusCode).toBe(429);
    expect(response.headers["retry-after"]).toBe("8");
  });
});
