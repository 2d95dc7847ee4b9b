import type { DatasetExport, ExportedChunk } from "../../scoring/datasets/export.js";

/** What a file of an export says of itself. */
export interface TableHead extends Pick<DatasetExport, "columns" | "snapshot"> {
  readonly dataset: string;
}

/** Encodes an export in one format. The bytes of all calls together, in their order, are the file. A call may give none. */
export interface TableWriter {
  begin(): string | Uint8Array;
  write(chunk: ExportedChunk): string | Uint8Array;
  end(): string | Uint8Array;
}

/** Where the rows come from, for formats that have a place for it. */
export function provenanceOf({ dataset, snapshot }: TableHead): Map<string, string> {
  const provenance = new Map([["assay.dataset", dataset]]);
  if (snapshot !== null) provenance.set("assay.snapshot", String(snapshot.version));
  return provenance;
}
