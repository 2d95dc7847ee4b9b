import { z } from "zod";

/** Bytes of JSON in one free-form part. `GET /v1/models` carries every part of every model. */
const BYTES_MAX = 64 * 1024;

/** What people write beside a model; it is kept and shown as it is. `parseJson` bounds its depth. */
export const freeFormSchema = z.record(z.string(), z.unknown()).refine(isBounded, {
  message: `has more than ${BYTES_MAX / 1024} KiB of JSON`,
});

/** Whether the fields that a schema leaves open are as small as a free-form part. */
export function isBounded(value: object): boolean {
  return Buffer.byteLength(JSON.stringify(value)) <= BYTES_MAX;
}

/** A list whose length is looked at before its elements are: millions of wrong ones would each be a fault to tell. */
export function listOf<T extends z.ZodType>(element: T, { min = 0, max }: { min?: number; max: number }) {
  return z.array(z.unknown()).min(min).max(max).pipe(z.array(element));
}

/** Faults name keys, and keys may be as long as the file. */
const MESSAGE_LENGTH_MAX = 500;

export function shortened(message: string): string {
  return message.length > MESSAGE_LENGTH_MAX ? `${message.slice(0, MESSAGE_LENGTH_MAX)}…` : message;
}
