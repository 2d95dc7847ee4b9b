import { readFileSync } from "node:fs";

/** A text of a fixture: itself, or a part repeated. */
export type OracleText = string | { readonly repeat: string; readonly times: number };

/** Reads a fixture that test/oracle/make.py wrote. */
export function readOracle<T>(name: string): T {
  return JSON.parse(readFileSync(new URL(`../oracle/${name}.json`, import.meta.url), "utf8")) as T;
}

export function expand(text: OracleText): string {
  return typeof text === "string" ? text : text.repeat.repeat(text.times);
}
