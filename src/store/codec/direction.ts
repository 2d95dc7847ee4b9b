import { DIRECTION_KINDS, type DirectionInfo } from "../port.js";
import { corrupt } from "./bytes.js";
import { isObject } from "./json.js";

/** The description of a direction from its parsed JSON. @throws AssayError `store_corrupt` if a part is missing */
export function directionInfo(kept: unknown): DirectionInfo {
  if (!isObject(kept) || !isObject(kept.model)) throw corrupt("the entry of a direction is incomplete");
  const text = textsOf(kept);
  const number = numbersOf(kept);
  const textOfModel = textsOf(kept.model);
  const kind = DIRECTION_KINDS.find((known) => known === kept.kind);
  if (kind === undefined) throw corrupt("a direction has an unknown kind");
  return {
    name: text("name"),
    kind,
    model: { name: textOfModel("name"), version: textOfModel("version") },
    weightsDigest: text("weightsDigest"),
    // Before there were scopes, every direction was over all parameters.
    gradientScope: kept.gradientScope === undefined ? "all" : text("gradientScope"),
    loss: text("loss"),
    samples: number("samples"),
    zeroGradients: number("zeroGradients"),
    norm: number("norm"),
    // Before directions could be scaled, none was.
    scale: kept.scale === undefined || kept.scale === null ? null : text("scale"),
    digest: text("digest"),
    bytes: number("bytes"),
    createdAtMs: number("createdAtMs"),
  };
}

function textsOf(kept: Readonly<Record<string, unknown>>): (name: string) => string {
  return (name) => {
    const value = kept[name];
    if (typeof value !== "string") throw corrupt(`the entry of a direction lacks its ${name}`);
    return value;
  };
}

function numbersOf(kept: Readonly<Record<string, unknown>>): (name: string) => number {
  return (name) => {
    const value = kept[name];
    if (typeof value !== "number") throw corrupt(`the entry of a direction lacks its ${name}`);
    return value;
  };
}
