import { JSON_MEDIA_TYPE } from "./media-types.js";
import { NDJSON_MEDIA_TYPE } from "./ndjson.js";

/** Whether an Accept header (RFC 9110) prefers JSON lines to JSON. */
export function prefersLines(accept: string | undefined): boolean {
  const lines = qualityOf(NDJSON_MEDIA_TYPE, accept);
  return lines > 0 && lines >= qualityOf(JSON_MEDIA_TYPE, accept);
}

/** The quality that the header gives to exactly this type; 0 if it does not name it. */
function qualityOf(type: string, accept = ""): number {
  for (const range of accept.split(",")) {
    const [name, ...parameters] = range.split(";").map((part) => part.trim().toLowerCase());
    if (name !== type) continue;
    const given = parameters.find((parameter) => parameter.startsWith("q="));
    const quality = given === undefined ? 1 : Number(given.slice(2));
    return Number.isNaN(quality) ? 0 : quality;
  }
  return 0;
}
