/**
 * How many tokens of each text are kept if a pair may have `tokensMax` tokens, without special tokens. The longer text loses
 * tokens first, one by one, until both fit. The lengths are those of `LongestFirst` in Hugging Face's tokenizers
 * (tokenizers/src/utils/truncation.rs), in closed form.
 */
export function longestFirst(firstLength: number, secondLength: number, tokensMax: number): [number, number] {
  if (firstLength + secondLength <= tokensMax) return [firstLength, secondLength];
  const swapped = firstLength > secondLength;
  let short = swapped ? secondLength : firstLength;
  let long = short > tokensMax ? short : Math.max(short, tokensMax - short);
  if (short + long > tokensMax) {
    short = Math.floor(tokensMax / 2);
    long = short + (tokensMax % 2);
  }
  return swapped ? [long, short] : [short, long];
}
