import {
  AsyncByteQueue,
  type Data,
  makeData,
  RecordBatch,
  RecordBatchStreamWriter,
  type Schema,
  Struct,
} from "apache-arrow";

export const ARROW_MEDIA_TYPE = "application/vnd.apache.arrow.stream";

/** Encodes columns as an Arrow IPC stream. The bytes of all calls together, in their order, are the stream. */
export interface ArrowWriter {
  begin(): Buffer;
  /** @param columns (N) each, in the order of the schema's fields */
  write(count: number, columns: readonly Data[]): Buffer;
  end(): Buffer;
}

export function openArrowWriter(schema: Schema): ArrowWriter {
  const sink = new HeldBytes();
  const writer = new RecordBatchStreamWriter();
  const type = new Struct(schema.fields);
  return {
    begin() {
      writer.reset(sink, schema);
      return sink.take();
    },
    write(count, columns) {
      const data = makeData({ type, length: count, nullCount: 0, children: [...columns] });
      writer.write(new RecordBatch(schema, data));
      return sink.take();
    },
    end() {
      writer.finish();
      return sink.take();
    },
  };
}

/** Holds what a writer writes until it is taken. The queue of the package holds it until an asynchronous reader comes. */
class HeldBytes extends AsyncByteQueue {
  private parts: Uint8Array[] = [];

  override write(part: ArrayBufferView): void {
    // The writer gives padding and prefixes in arrays that it does not use again, and columns that do not change.
    this.parts.push(new Uint8Array(part.buffer, part.byteOffset, part.byteLength));
  }

  take(): Buffer {
    const bytes = Buffer.concat(this.parts);
    this.parts = [];
    return bytes;
  }
}
