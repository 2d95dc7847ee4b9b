import { AssayError } from "../../errors.js";
import type { FiledRecord } from "./cells.js";
import type { FieldMap } from "./field-map.js";
import { parseJson } from "./json-fault.js";
import { readJsonPieces } from "./json-pieces.js";
import { type Piece, placeIn } from "./lines.js";
import { createRecord, jsonValue, RecordFault } from "./record.js";

export interface JsonOptions {
  /** Name of the file in messages. */
  readonly name: string;
  readonly fields: FieldMap;
  readonly recordBytesMax: number;
}

/** Records of JSON lines, or of one list of objects. Throws `input_invalid` with line and character. */
export async function* readJsonRecords(
  chunks: AsyncIterable<Buffer>,
  { name, fields, recordBytesMax }: JsonOptions,
): AsyncGenerator<FiledRecord> {
  const unseen = new Set(fields.sources);
  for await (const piece of readJsonPieces(chunks, name, recordBytesMax)) {
    const object = objectOf(piece, name);
    for (const field of Object.keys(object)) unseen.delete(field);
    yield { value: sampleOf(object, fields, `${name}, line ${piece.line}`), line: piece.line };
  }
  const [missing] = unseen;
  if (missing !== undefined)
    throw invalid(`${name}: no sample has the field ${JSON.stringify(missing)}, which --map names`);
}

function objectOf(piece: Piece, name: string): object {
  const parsed = parseJson(piece.text);
  if ("fault" in parsed) {
    // If the value is cut off, point to its end, not to the blanks and the line end after it.
    const at = Math.min(parsed.fault.at, piece.text.trimEnd().length);
    const characters = [...piece.text.slice(0, at)].length;
    const { line, character } = placeIn(piece, piece.text, characters);
    throw invalid(`${name}, line ${line}, character ${character}: ${parsed.fault.message}`);
  }
  const { value } = parsed;
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value;
  throw invalid(`${name}, line ${piece.line}, character ${piece.character}: expected an object`);
}

function sampleOf(object: object, fields: FieldMap, at: string): unknown {
  const record = createRecord();
  for (const [name, value] of Object.entries(object)) {
    const targets = fields.targetsOf(name);
    if ("fault" in targets) throw invalid(`${at}: the field ${targets.fault}`);
    try {
      for (const target of targets) record.put(target, jsonValue(target, value));
    } catch (error) {
      throw error instanceof RecordFault ? invalid(`${at}: ${error.message}`) : error;
    }
  }
  return record.value;
}

function invalid(detail: string): AssayError {
  return new AssayError("input_invalid", { detail });
}
