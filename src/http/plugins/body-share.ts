import type { FastifyInstance, FastifyRequest } from "fastify";
import { AssayError } from "../../errors.js";

/** What a request holds of the memory for bodies; the rest is given back when it has been answered. */
export interface BodyShare {
  /** Throws `overloaded` where all bodies together would be too large. */
  take(bytes: number): void;
  give(bytes: number): void;
}

const shares = new WeakMap<FastifyRequest, BodyShare>();

export function bodyShareOf(request: FastifyRequest): BodyShare {
  return shares.get(request) as BodyShare;
}

/**
 * Bounds the bytes of the bodies that are held at once. Bytes count when they have come, not when they are announced, so that
 * nobody is kept out by who announces much and sends nothing; and as long as the request lasts, because what was parsed of them
 * does. A body has its way where it is alone.
 */
export function shareBodyBytes(app: FastifyInstance, bytesMax: number): void {
  let total = 0;
  app.addHook("preParsing", (request, reply, payload, done) => {
    let own = 0;
    let ended = false;
    const share: BodyShare = {
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
    shares.set(request, share);
    reply.raw.once("close", () => {
      share.give(own);
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
