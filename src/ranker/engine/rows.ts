/** The rows `rows` of a row-major matrix that has `count` rows. */
export function gatherRows(matrix: Float32Array, count: number, rows: readonly number[]): Float32Array {
  const width = matrix.length / count;
  const gathered = new Float32Array(rows.length * width);
  rows.forEach((row, at) => {
    gathered.set(matrix.subarray(row * width, (row + 1) * width), at * width);
  });
  return gathered;
}

/** Copies the rows of a matrix to the rows `rows` of the matrix `into`, which has the same width. */
export function scatterRows(matrix: Float32Array, rows: readonly number[], into: Float32Array): void {
  const width = matrix.length / rows.length;
  rows.forEach((row, at) => {
    into.set(matrix.subarray(at * width, (at + 1) * width), row * width);
  });
}
