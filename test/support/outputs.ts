import type { Wanted } from "../../src/ranker/port.js";

/** The plain forward runs. */
export const FP32 = { graph: "forward", precision: "fp32" } as const satisfies Wanted;
export const INT8 = { graph: "forward", precision: "int8" } as const satisfies Wanted;
