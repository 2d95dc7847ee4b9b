import { expect, test } from "vitest";
import { splitLines } from "../../src/text/lines.js";

/** The lines of a text that comes in parts of this many bytes. */
async function linesOf(text: string, bytesAtOnce: number, skipBlank = false): Promise<string[]> {
  async function* chunks(): AsyncGenerator<Buffer> {
    const bytes = Buffer.from(text);
    for (let at = 0; at < bytes.length; at += bytesAtOnce) yield bytes.subarray(at, at + bytesAtOnce);
  }
  const tooLong = (number: number): Error => new Error(`line ${number} is too long`);
  const lines: string[] = [];
  for await (const { number, bytes } of splitLines(chunks(), { bytesMax: 5, tooLong, skipBlank }))
    lines.push(`${number} ${bytes}`);
  return lines;
}

test.each([1, 2, 5, 6, 100])(
  "a line's limit counts its bytes without the line feed, in parts of %i",
  async (bytesAtOnce) => {
    expect(await linesOf("12345\n\n12345", bytesAtOnce)).toEqual(["1 12345\n", "2 \n", "3 12345"]);
    await expect(linesOf("1\n123456\n", bytesAtOnce)).rejects.toThrow("line 2 is too long");
    await expect(linesOf("1\n123456", bytesAtOnce)).rejects.toThrow("line 2 is too long");
  },
);

test.each([3, 100])("blank lines that are skipped count, within a part of %i bytes", async (bytesAtOnce) => {
  const found = await linesOf("\n\r\n \t\n1\n\n\n 2\n", bytesAtOnce, true);
  expect(found.filter((line) => !/^\d+ \s*$/.test(line))).toEqual(["4 1\n", "7  2\n"]);
  if (bytesAtOnce === 100) expect(found).toHaveLength(2);
});
