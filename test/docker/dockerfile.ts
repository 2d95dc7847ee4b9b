/** One instruction of a Dockerfile: `COPY`, and what stands after it. */
export interface Instruction {
  readonly name: string;
  readonly rest: string;
}

export interface Stage {
  readonly name: string;
  readonly instructions: readonly Instruction[];
}

/** `COPY [--from=stage] source… target`. */
export interface Copy {
  readonly from: string | undefined;
  readonly sources: readonly string[];
  readonly target: string;
}

/** The stages of a Dockerfile, in order; a stage without a name is called by its number. */
export function readStages(dockerfile: string): Stage[] {
  const stages: { name: string; instructions: Instruction[] }[] = [];
  for (const line of logicalLines(dockerfile)) {
    const [, name = "", rest = ""] = /^([A-Z]+) (.+)$/s.exec(line) ?? [];
    if (name === "") throw new Error(`not an instruction: ${line}`);
    if (name === "FROM")
      stages.push({ name: / AS (\S+)$/.exec(rest)?.[1] ?? `${stages.length}`, instructions: [] });
    stages.at(-1)?.instructions.push({ name, rest });
  }
  return stages;
}

export function copiesOf({ instructions }: Stage): Copy[] {
  return instructions
    .filter(({ name }) => name === "COPY")
    .map(({ rest }) => {
      const words = rest.split(/\s+/);
      const flag = words[0]?.startsWith("--from=") ? words.shift() : undefined;
      const target = words.pop() as string;
      return { from: flag?.slice("--from=".length), sources: words, target };
    });
}

/** The variables of every ENV instruction. */
export function environmentOf({ instructions }: Stage): Record<string, string> {
  const pairs = instructions
    .filter(({ name }) => name === "ENV")
    .flatMap(({ rest }) => rest.split(/\s+/))
    .map((pair) => pair.split("=", 2) as [string, string]);
  return Object.fromEntries(pairs);
}

/** Lines without comments, each with the lines that a backslash joins to it. */
function logicalLines(text: string): string[] {
  return text
    .split("\n")
    .filter((line) => !line.trimStart().startsWith("#"))
    .join("\n")
    .replaceAll(/\\\n\s*/g, "")
    .split("\n")
    .filter((line) => line.trim() !== "");
}
