import { z } from "zod";

/** Most bytes of JSON in one free-form part. The limit exists because `GET /v1/models` answers every part of every model. */
const BYTES_MAX = 64 * 1024;

/** JSON that people attach to a model. It is kept and shown unchanged. `parseJson` limits its depth. */
export const freeFormSchema = z.record(z.string(), z.unknown()).refine(isBounded, {
  message: `has more than ${BYTES_MAX / 1024} KiB of JSON`,
});

/** Whether an object with free fields is no larger than a free-form part may be. */
export function isBounded(value: object): boolean {
  return Buffer.byteLength(JSON.stringify(value)) <= BYTES_MAX;
}

/** A list whose length is checked before its elements, because millions of wrong elements would each produce a fault. */
export function listOf<T extends z.ZodType>(element: T, { min = 0, max }: { min?: number; max: number }) {
  return z.array(z.unknown()).min(min).max(max).pipe(z.array(element));
}

/** Messages are shortened because they quote keys, and a key may be as long as its file. */
const MESSAGE_LENGTH_MAX = 500;

export function shortened(message: string): string {
  return message.length > MESSAGE_LENGTH_MAX ? `${message.slice(0, MESSAGE_LENGTH_MAX)}…` : message;
}
