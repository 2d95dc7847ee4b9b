import type { Wanted } from "../../src/ranker/port.js";
import type { OutputsRecord } from "../../src/store/port.js";

/** The plain forward runs. */
export const FP32 = { graph: "forward", precision: "fp32" } as const satisfies Wanted;
export const INT8 = { graph: "forward", precision: "int8" } as const satisfies Wanted;

/** The parts that a forward run leaves out of an outputs record. */
export const NO_PARTS = {
  gram: null,
  tangent: null,
  features: null,
} as const satisfies Partial<OutputsRecord>;
