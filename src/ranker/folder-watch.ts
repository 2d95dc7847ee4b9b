import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";

/** Notices that another process has changed a model folder: a replica that received new weights, or an export. */
export interface FolderWatch {
  /** Describes the model's files as they are now. The text differs after a file was replaced, written to, added or removed. */
  look(name: string): Promise<string>;
  /** Takes this description as known, so that it is not reported as a change. */
  take(name: string, look: string): void;
  /** Whether the files differ from the last known description. Each change is reported once, here or by `onChange`. */
  changed(name: string): Promise<boolean>;
  close(): void;
}

export interface FolderWatchOptions {
  readonly modelsDirectory: string;
  /** Time between two looks at all folders. */
  readonly intervalMs: number;
  /** Whether the folder that the model runs from is gone. It may be a staging folder instead of the model folder. */
  readonly isLost: (name: string) => boolean;
  /** Called after the files have changed and were the same at two looks in a row, so that no copy is still running. */
  readonly onChange: (name: string) => Promise<void>;
}

/** Polls, because a shared file system does not report changes that another machine makes. */
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

/** Name, size, time and inode of every file of a folder, without hidden files and files that are still being brought in. */
async function describeFiles(directory: string): Promise<string> {
  const names = await readdir(directory).catch(() => []);
  const files = names.filter((name) => !name.startsWith(".") && !name.includes(".next")).sort();
  const entries = files.map(async (name) => {
    const found = await stat(join(directory, name)).catch(() => null);
    return [name, found?.size, found?.mtimeMs, found?.ino];
  });
  return JSON.stringify(await Promise.all(entries));
}
