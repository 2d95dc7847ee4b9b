import type { FastifyInstance, FastifyRequest } from "fastify";
import { AssayError } from "../../errors.js";

/** A request's share of the memory for bodies. What the request still holds when it has been answered is given back then. */
export interface BodyQuota {
  /** Throws `overloaded` if all bodies together would be too large. */
  take(bytes: number): void;
  give(bytes: number): void;
}

const quotas = new WeakMap<FastifyRequest, BodyQuota>();

export function bodyQuotaOf(request: FastifyRequest): BodyQuota {
  return quotas.get(request) as BodyQuota;
}

/**
 * Bounds the bytes of the bodies that are held at once. Bytes count when they have arrived, not when they are announced: a client
 * that announces much and sends nothing keeps nobody out. They count until the request ends, because the parsed body lives
 * that long. A body is never refused while it is the only one.
 */
export function limitBodyBytes(app: FastifyInstance, bytesMax: number): void {
  let total = 0;
  app.addHook("preParsing", (request, reply, payload, done) => {
    let own = 0;
    let ended = false;
    const quota: BodyQuota = {
      take(bytes) {
        if (ended) return;
        if (total + bytes > bytesMax && total > own) throw tooMany(bytesMax);
        own += bytes;
        total += bytes;
      },
      give(bytes) {
        if (ended) return;
        own -= bytes;
        total -= bytes;
      },
    };
    quotas.set(request, quota);
    reply.raw.once("close", () => {
      quota.give(own);
      ended = true;
    });
    done(null, payload);
  });
}

function tooMany(bytesMax: number): AssayError {
  return new AssayError("overloaded", {
    detail: `The bodies of all current requests together may have ${bytesMax} bytes, and this limit is reached: send this again`,
  });
}
