/** Limits of requests. They are part of the schemas, and so of the OpenAPI document. */
export interface Limits extends SampleLimits {
  /** Samples in one score request. */
  readonly samplesMax: number;
  /** Ids in one look-up. */
  readonly idsMax: number;
  /** Directions in the store. */
  readonly directionsMax: number;
  /** Bytes of one body, or of one line of a stream. */
  readonly bodyBytesMax: number;
  /** Bytes of all bodies that are held at once. */
  readonly bodiesBytesMax: number;
}

/** Limits of one sample. */
export interface SampleLimits {
  /** Bytes of UTF-8 of an id or a group. */
  readonly idBytesMax: number;
  /** Characters (Unicode code points) of one text. */
  readonly textCharsMax: number;
}
