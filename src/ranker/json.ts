import { structureFault } from "../text/json-structure.js";

/** Levels of arrays and objects inside each other: a tokeniser's file has ten. Beyond thousands, what walks a value overflows the stack. */
const DEPTH_MAX = 64;

/** JSON from outside that is not taken. */
export class JsonFault extends Error {
  constructor(
    /** Of the member of the outermost object that the fault lies in, where it is known; "" is the whole. */
    readonly path: string,
    message: string,
  ) {
    super(message);
  }
}

/**
 * The value of JSON in UTF-8. Throws `JsonFault`, also for one that is nested deeper than 64 levels: it is found before anything
 * is parsed, because the parser takes 17 s for ten million levels, in one go.
 */
export function parseJson(bytes: Uint8Array): unknown {
  try {
    const text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
    refuseDepth(text);
    return JSON.parse(text);
  } catch (cause) {
    if (cause instanceof JsonFault || !(cause instanceof Error)) throw cause;
    throw new JsonFault("", `is not JSON: ${cause.message}`);
  }
}

function refuseDepth(text: string): void {
  const fault = structureFault(text, { depthMax: DEPTH_MAX });
  if (fault === null) return;
  const [member] = fault.place;
  throw new JsonFault(
    typeof member === "string" ? `/${member}` : "",
    `is nested deeper than ${DEPTH_MAX} levels`,
  );
}
