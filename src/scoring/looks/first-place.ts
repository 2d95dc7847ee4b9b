/** The first of the places 0 to `length` − 1 for which `isAfter` holds, if it holds for all that follow; `length` if for none. */
export function firstPlace(length: number, isAfter: (place: number) => boolean): number {
  let low = 0;
  let high = length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (isAfter(middle)) high = middle;
    else low = middle + 1;
  }
  return low;
}
