import { corrupt } from "./bytes.js";

/** The object in a stored JSON text. @throws AssayError `store_corrupt` naming `what` if there is no object */
export function parseObject(text: string, what: string): Readonly<Record<string, unknown>> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw corrupt(`${what} is not JSON`);
  }
  if (!isObject(value)) throw corrupt(`${what} is not an object`);
  return value;
}

export function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
