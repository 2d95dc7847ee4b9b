/** (n) The members' values. A loop, because `from` with a function takes ten times as long. */
export function valuesAt(values: Float64Array, members: Uint32Array): Float64Array {
  const own = new Float64Array(members.length);
  for (let position = 0; position < own.length; position += 1) {
    own[position] = values[members[position] as number] as number;
  }
  return own;
}

/** The members at these positions. */
export function membersAt(members: Uint32Array, positions: Uint32Array): Uint32Array {
  return positions.map((position) => members[position] as number);
}

/** The positions below `count` that hold, ascending. Each is asked once, in this order. */
export function positionsWhere(count: number, holds: (position: number) => boolean): Uint32Array {
  const found = new Uint32Array(count);
  let length = 0;
  for (let position = 0; position < count; position += 1) if (holds(position)) found[length++] = position;
  return found.slice(0, length);
}
