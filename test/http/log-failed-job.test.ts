import { pino } from "pino";
import { expect, it } from "vitest";
import { AssayError, type ErrorCode, faultsError } from "../../src/errors.js";
import { logFailedJob } from "../../src/http/log-failed-job.js";
import type { Job } from "../../src/jobs/port.js";

const job: Job = {
  id: "1",
  kind: "select",
  dataset: "d",
  state: "failed",
  progress: 0,
  createdAtMs: 0,
  startedAtMs: 0,
  endedAtMs: 0,
  result: null,
  error: null,
};

/** The one line that is logged. */
function logged(error: AssayError): { readonly level: number; readonly text: string } {
  const lines: string[] = [];
  logFailedJob(pino({ base: null }, { write: (line: string) => void lines.push(line) }))(job, error);
  expect(lines).toHaveLength(1);
  const [text = ""] = lines;
  return { level: JSON.parse(text).level, text };
}

it("tells what a request did wrong with its code alone: no id, no reason, no stack", () => {
  const cause = new Error("at secret-id");
  const faults = [{ path: "/signal", message: "is negative (such as secret-id)" }];
  for (const error of [
    faultsError("unsuitable_selection", faults),
    new AssayError("dataset_not_found", { detail: "secret-id", cause }),
  ]) {
    const { level, text } = logged(error);
    expect(level).toBe(30);
    expect(text).toContain(error.code);
    expect(text).not.toMatch(/secret-id|stack/);
  }
});

it("tells the reason of other errors, and the stack of unexpected ones only", () => {
  const ofCode = (code: ErrorCode) => logged(new AssayError(code, { detail: "why", cause: new Error("x") }));
  expect(ofCode("store_unavailable")).toMatchObject({ level: 40, text: expect.stringContaining("why") });
  expect(ofCode("store_unavailable").text).not.toContain("stack");
  expect(ofCode("internal")).toMatchObject({ level: 50, text: expect.stringContaining("stack") });
});
