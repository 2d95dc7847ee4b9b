import { structureFault } from "../text/json-structure.js";

/**
 * Most levels of nested arrays and objects. A tokeniser's file has ten; code that walks a value with thousands overflows the
 * stack.
 */
const DEPTH_MAX = 64;

/** JSON from outside that is refused. */
export class JsonFault extends Error {
  constructor(
    /** JSON pointer of the member of the outermost object that has the fault, if it is known; "" is the whole. */
    readonly path: string,
    message: string,
  ) {
    super(message);
  }
}

/**
 * The value of JSON in UTF-8. Throws `JsonFault` if it is not valid or is nested deeper than 64 levels. The depth is checked
 * before parsing, because the parser blocks the thread for 17 s on ten million levels.
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
