import { faultsError } from "../../errors.js";
import type { Limits } from "../requests/limits.js";
import { textLengthOf } from "../requests/sample.js";
import {
  type FaultyLine,
  faulty,
  isFaulty,
  placeIn,
  type StreamedLine,
  type StreamedSample,
} from "./lines.js";

type GroupLimits = Pick<Limits, "samplesMax" | "bodyBytesMax">;

/** The group that is being read. */
interface OpenGroup {
  readonly group: string;
  readonly lines: StreamedLine[];
  chars: number;
  /** Why none of it can be scored; null if it can. */
  fault: string | null;
}

/**
 * The lines of each group together. The samples of a group have to follow one another. A group is scored as a whole or not at all,
 * because its losses compare its samples: if one line of it has a fault, so have all. A line that cannot be read may belong to
 * the group before it and to the one after it. Remembers the names of all groups.
 */
export async function* wholeGroups(
  chunks: AsyncIterable<readonly StreamedLine[]>,
  limits: GroupLimits,
): AsyncGenerator<StreamedLine[]> {
  const begun = new Set<string>();
  let open: OpenGroup | null = null;
  let unread: FaultyLine | null = null;
  for await (const line of eachOf(chunks)) {
    const group = isFaulty(line) ? line.group : (line.sample.group ?? null);
    if (group === undefined) {
      unread = line as FaultyLine;
      if (open === null) yield [line];
      else hold(open, line, limits);
      continue;
    }
    if (open !== null && open.group !== group) {
      yield closed(open);
      open = null;
    }
    if (group === null) {
      yield [isFaulty(line) ? line : ungrouped(line)];
      continue;
    }
    if (open === null) {
      const fault: string | null = begun.has(group)
        ? "ended before: the samples of a group must follow one another"
        : null;
      open = { group, lines: [], chars: 0, fault: fault ?? (unread && brokenBy(unread)) };
      begun.add(group);
    }
    unread = null;
    hold(open, line, limits);
    // Of a group that is not scored, nothing has to be held.
    if (open.fault !== null) {
      yield closed(open);
      open.lines.length = 0;
    }
  }
  if (open !== null) yield closed(open);
}

async function* eachOf(chunks: AsyncIterable<readonly StreamedLine[]>): AsyncGenerator<StreamedLine> {
  for await (const lines of chunks) yield* lines;
}

function hold(open: OpenGroup, line: StreamedLine, { samplesMax, bodyBytesMax }: GroupLimits): void {
  open.lines.push(line);
  if (isFaulty(line)) open.fault ??= brokenBy(line);
  else open.chars += textLengthOf(line.sample);
  if (open.lines.length > samplesMax) open.fault ??= `has more than ${samplesMax} samples`;
  if (open.chars > bodyBytesMax) open.fault ??= `has texts of more than ${bodyBytesMax} characters`;
}

/** The lines of a group, all with its fault if it has one. */
function closed({ lines, fault }: OpenGroup): StreamedLine[] {
  if (fault === null) return [...lines];
  return lines.map((line) => (isFaulty(line) ? line : groupFault(line, fault)));
}

export function groupFault(line: StreamedSample, message: string): FaultyLine {
  return faulty(line, faultsError("invalid_sample", [{ sample: placeIn(line), path: "/group", message }]));
}

function ungrouped(line: StreamedSample): FaultyLine {
  return groupFault(line, "is required: the loss compares the samples of a group");
}

/** Why the samples of a group are not scored in which this line is. */
export function brokenBy({ number }: { readonly number: number }): string {
  return `is not whole: number ${number} of the stream has a fault`;
}
