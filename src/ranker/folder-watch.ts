import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";

/** Notices that somebody else has changed a model folder: another replica that was given new weights, an export. */
export interface FolderWatch {
  /** How the model's files look now: another text once one was replaced, written to, added or removed. */
  look(name: string): Promise<string>;
  /** What the model's folder held at that look is known: no change is told of it. */
  take(name: string, look: string): void;
  /** Whether the files look other than what was taken last; each change is told once, here or by `onChange`. */
  changed(name: string): Promise<boolean>;
  close(): void;
}

export interface FolderWatchOptions {
  readonly modelsDirectory: string;
  /** Time between two looks at all folders. */
  readonly intervalMs: number;
  /** Whether the folder that the model runs from is gone: it may be another than its own. */
  readonly isLost: (name: string) => boolean;
  /** The files have changed, and have been quiet since the look before: nobody copies into the folder any more. */
  readonly onChange: (name: string) => Promise<void>;
}

/** Polls: file systems that replicas share tell of no changes that another machine makes. */
export function watchFolders({
  modelsDirectory,
  intervalMs,
  isLost,
  onChange,
}: FolderWatchOptions): FolderWatch {
  const taken = new Map<string, string>();
  const last = new Map<string, string>();
  let closed = false;

  async function look(name: string): Promise<string> {
    return `${isLost(name) ? "lost " : ""}${await describeFiles(join(modelsDirectory, name))}`;
  }

  async function lookAtAll(): Promise<void> {
    for (const [name, known] of taken) {
      const now = await look(name);
      const isQuiet = last.get(name) === now;
      last.set(name, now);
      if (now === known || !isQuiet || closed || taken.get(name) !== known) continue;
      taken.set(name, now);
      await onChange(name);
    }
  }

  let timer = setTimeout(tick, intervalMs).unref();
  async function tick(): Promise<void> {
    await lookAtAll();
    if (!closed) timer = setTimeout(tick, intervalMs).unref();
  }

  return {
    look,
    take: (name, look) => void taken.set(name, look),
    async changed(name) {
      const now = await look(name);
      if (taken.get(name) === now) return false;
      taken.set(name, now);
      return true;
    },
    close() {
      closed = true;
      clearTimeout(timer);
    },
  };
}

/** Name, size, time and place of every file of a folder that is not on its way into it. */
async function describeFiles(directory: string): Promise<string> {
  const names = await readdir(directory).catch(() => []);
  const files = names.filter((name) => !name.startsWith(".") && !name.includes(".next")).sort();
  const entries = files.map(async (name) => {
    const found = await stat(join(directory, name)).catch(() => null);
    return [name, found?.size, found?.mtimeMs, found?.ino];
  });
  return JSON.stringify(await Promise.all(entries));
}
