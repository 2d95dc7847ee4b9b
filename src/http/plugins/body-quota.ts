import type { FastifyInstance, FastifyRequest } from "fastify";
import { AssayError } from "../../errors.js";

/** What a request holds of the memory for bodies; the rest is given back when it has been answered. */
export interface BodyQuota {
  /** Throws `overloaded` where all bodies together would be too large. */
  take(bytes: number): void;
  give(bytes: number): void;
}

const quotas = new WeakMap<FastifyRequest, BodyQuota>();

export function bodyQuotaOf(request: FastifyRequest): BodyQuota {
  return quotas.get(request) as BodyQuota;
}

/**
 * Bounds the bytes of the bodies that are held at once. Bytes count when they have come, not when they are announced, so that
 * nobody is kept out by who announces much and sends nothing; and as long as the request lasts, because what was parsed of them
 * does. A body has its way where it is alone.
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
    detail: `The bodies of the requests under way have ${bytesMax} bytes, the most that are held at once: send this again`,
  });
}
