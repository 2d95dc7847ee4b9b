/** Limits that stand in the schema, and so in the OpenAPI document. */
export interface Limits {
  /** Samples in one score request. */
  readonly samplesMax: number;
  /** Ids in one look-up. */
  readonly idsMax: number;
  /** UTF-16 units of one text. */
  readonly textCharsMax: number;
}
