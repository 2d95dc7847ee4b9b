import type { DatasetExport, ExportedChunk } from "../../scoring/datasets/export.js";
import type { PartWriter } from "../plugins/streamed-answer.js";

/** What a file of an export says of itself. */
export interface TableHead extends Pick<DatasetExport, "columns" | "snapshot" | "hashedIds"> {
  readonly dataset: string;
}

/** Encodes an export in one format. */
export type TableWriter = PartWriter<ExportedChunk>;

/** Where the rows come from, for formats that have a place for it. */
export function provenanceOf({ dataset, snapshot, hashedIds }: TableHead): Map<string, string> {
  const provenance = new Map([["assay.dataset", dataset]]);
  if (snapshot !== null) provenance.set("assay.snapshot", String(snapshot.version));
  if (hashedIds) provenance.set("assay.hashed_ids", "true");
  return provenance;
}
