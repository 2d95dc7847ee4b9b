import { corrupt } from "../codec/bytes.js";

/** Reads Redis's answer to a command. @throws AssayError `store_corrupt` if the answer has another type */
export type Reply<T> = (answer: unknown) => T;

/** For a command whose answer is not needed. */
export const ignored: Reply<void> = () => undefined;

export const bytes: Reply<Buffer> = (answer) => {
  if (!Buffer.isBuffer(answer)) throw unexpected(answer, "a string");
  return answer;
};

export const number: Reply<number> = (answer) => {
  if (typeof answer !== "number") throw unexpected(answer, "a number");
  return answer;
};

/** A list with elements of any type. */
export const list: Reply<readonly unknown[]> = (answer) => {
  if (!Array.isArray(answer)) throw unexpected(answer, "a list");
  return answer;
};

export function listOf<T>(element: Reply<T>): Reply<T[]> {
  return (answer) => list(answer).map((each) => element(each));
}

/** Null for Lua's `false` and for a key or field that does not exist. */
export function orNull<T>(reply: Reply<T>): Reply<T | null> {
  return (answer) => (answer === null ? null : reply(answer));
}

/** A flat list in which two types alternate, as pairs. */
export function pairsOf<A, B>(first: Reply<A>, second: Reply<B>): Reply<[A, B][]> {
  return (answer) => {
    const flat = list(answer);
    const pairs: [A, B][] = [];
    for (let index = 0; index < flat.length; index += 2)
      pairs.push([first(flat[index]), second(flat[index + 1])]);
    return pairs;
  };
}

function unexpected(answer: unknown, wanted: string): Error {
  const found = answer === null ? "nothing" : Array.isArray(answer) ? "a list" : typeof answer;
  return corrupt(`Redis answered ${found} instead of ${wanted}`);
}
