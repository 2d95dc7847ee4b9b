import { createHash } from "node:crypto";
import { AssayError } from "../../errors.js";
import { giveTurn } from "../../observe/turns.js";
import type { DirectionFacts, DirectionInfo, DirectionStore } from "../../store/port.js";
import type { Ports } from "../ports.js";
import { type KnownDirection, readDirection, storedDirection } from "./known.js";

const FLOAT_BYTES = Float32Array.BYTES_PER_ELEMENT;

/**
 * Multiplies the entries of a direction v by those of a vector D, once. With the step sizes D = 1/(√v̂ + ε) of an Adam optimiser,
 * −⟨∇ℓ, Dv⟩ is the first-order change of the loss behind v by one step on a sample of loss ℓ, for each unit of learning rate, while
 * v̂ stands still and there is no momentum. Both vectors pass in constant memory.
 *
 * The same D again changes nothing, so a request can be repeated. Throws `direction_not_found`; `direction_scaled` if another
 * vector has scaled it; `scale_invalid` for a wrong length, or an entry that is negative or not finite; `direction_undefined` if
 * only zeros are left; and what the store throws. After an error the direction is as it was.
 *
 * @param scale float32 little-endian: as many entries as the direction has, in its order
 */
export async function scaleDirection(
  ports: Ports,
  name: string,
  scale: AsyncIterable<Uint8Array>,
): Promise<KnownDirection> {
  const { store } = ports;
  const info = await storedDirection(store, name);
  if (info.scale === null) await writeScaled(store, info, scale);
  else if ((await digestOf(scale)) !== info.scale)
    throw new AssayError("direction_scaled", {
      detail: `Direction ${JSON.stringify(name)} was scaled by another vector: make it again, then scale it`,
    });
  return readDirection(ports, name);
}

async function writeScaled(
  store: DirectionStore,
  info: DirectionInfo,
  scale: AsyncIterable<Uint8Array>,
): Promise<void> {
  const product = new Product(store, info);
  const facts = (): DirectionFacts => ({ ...info, norm: product.norm(), scale: product.scaleDigest() });
  await store.writeDirection(facts, product.of(store.readDirectionVector(info.name, info.digest), scale));
}

/** The product of a direction and its scale, as it passes: its norm, and the digest of the scale. */
class Product {
  readonly #store: DirectionStore;
  readonly #info: DirectionInfo;
  readonly #hash = createHash("sha256");
  #squares = 0;

  constructor(store: DirectionStore, info: DirectionInfo) {
    this.#store = store;
    this.#info = info;
  }

  /** ‖Dv‖, once everything has passed. Throws `direction_undefined` if it is 0. */
  norm(): number {
    if (this.#squares > 0) return Math.sqrt(this.#squares);
    throw new AssayError("direction_undefined", {
      detail: `Nothing of direction ${JSON.stringify(this.#info.name)} is left: where it is not 0, the scale is`,
    });
  }

  scaleDigest(): string {
    return this.#hash.digest("hex");
  }

  /** The bytes of Dv. */
  async *of(vector: AsyncIterable<Uint8Array>, scale: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    const source = new Floats(scale);
    try {
      yield* this.#chunksOf(vector, source);
    } finally {
      await source.end();
    }
  }

  async *#chunksOf(vector: AsyncIterable<Uint8Array>, source: Floats): AsyncGenerator<Uint8Array> {
    const entries = this.#info.bytes / FLOAT_BYTES;
    let at = 0;
    for await (const chunk of wholeFloats(vector)) {
      const factors = await source.take(chunk.length);
      if (factors.length < chunk.length)
        throw this.#ofWrongLength(at + Math.floor(factors.length / FLOAT_BYTES), entries);
      this.#hash.update(factors);
      yield this.#multiplied(chunk, factors, at);
      at += chunk.length / FLOAT_BYTES;
      await giveTurn();
    }
    if ((await this.#store.readDirection(this.#info.name))?.digest !== this.#info.digest)
      throw new AssayError("direction_not_found", {
        detail: `Direction ${JSON.stringify(this.#info.name)} was replaced while it was being scaled: scale it again`,
      });
    if (!(await source.isEnded()))
      throw invalid(`The scale has more than the ${entries} entries of the direction`);
  }

  #multiplied(vector: Buffer, factors: Buffer, from: number): Buffer {
    const product = Buffer.allocUnsafe(vector.length);
    for (let offset = 0; offset < vector.length; offset += FLOAT_BYTES) {
      const factor = factors.readFloatLE(offset);
      const value = Math.fround(factor * vector.readFloatLE(offset));
      if (!(factor >= 0 && Number.isFinite(value)))
        throw invalid(
          `Entry ${from + offset / FLOAT_BYTES} of the scale is ${factor}: it must be a number from 0 on, and its product finite`,
        );
      this.#squares += value * value;
      product.writeFloatLE(value, offset);
    }
    return product;
  }

  #ofWrongLength(found: number, entries: number): AssayError {
    return invalid(
      `The scale has ${found} entries, but the direction has ${entries}: those of the gradient scope ${JSON.stringify(this.#info.gradientScope)}`,
    );
  }
}

/** Bytes of a stream that are taken in other pieces than they come in. */
class Floats {
  readonly #chunks: AsyncIterator<Uint8Array>;
  #rest: Buffer = Buffer.alloc(0);

  constructor(source: AsyncIterable<Uint8Array>) {
    this.#chunks = source[Symbol.asyncIterator]();
  }

  /** The next bytes, or fewer at the end. */
  async take(bytes: number): Promise<Buffer> {
    const parts = [this.#rest];
    let held = this.#rest.length;
    while (held < bytes) {
      const { done, value } = await this.#chunks.next();
      if (done === true) break;
      parts.push(Buffer.from(value));
      held += value.length;
    }
    const all = parts.length === 1 ? this.#rest : Buffer.concat(parts);
    this.#rest = all.subarray(bytes);
    return all.subarray(0, bytes);
  }

  /** Tells the source that no more is wanted, so that the rest of a request's body is read and thrown away. */
  async end(): Promise<void> {
    await this.#chunks.return?.();
  }

  async isEnded(): Promise<boolean> {
    return (await this.take(1)).length === 0;
  }
}

/** The bytes in chunks of whole entries. A vector has no others at its end. */
async function* wholeFloats(vector: AsyncIterable<Uint8Array>): AsyncGenerator<Buffer> {
  let rest: Buffer = Buffer.alloc(0);
  for await (const part of vector) {
    const all = rest.length === 0 ? Buffer.from(part) : Buffer.concat([rest, part]);
    const whole = all.length - (all.length % FLOAT_BYTES);
    rest = Buffer.from(all.subarray(whole));
    if (whole > 0) yield all.subarray(0, whole);
  }
}

async function digestOf(bytes: AsyncIterable<Uint8Array>): Promise<string> {
  const hash = createHash("sha256");
  for await (const chunk of bytes) hash.update(chunk);
  return hash.digest("hex");
}

function invalid(detail: string): AssayError {
  return new AssayError("scale_invalid", { detail });
}
