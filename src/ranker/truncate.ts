/**
 * How many tokens of each text stay when a pair may hold `tokensMax` of them, special tokens not counted: the longer text
 * gives way first, token by token, until both fit. The same lengths as Hugging Face tokenizers' `LongestFirst`
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
