import { corrupt } from "./bytes.js";

/** The object that a stored JSON text holds. @throws AssayError `store_corrupt` naming `what` where it holds none */
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
