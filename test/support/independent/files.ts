import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

/** A data directory to read. Paths are relative to it, segments separated by `/`; the directory itself is ''. */
export interface ReadOnlyFiles {
  /** Names in a directory, those of directories with a `/` at the end; nothing for a missing directory. */
  list(path: string): string[]
  /** The whole file, `undefined` when it does not exist. */
  readFile(path: string): Uint8Array | undefined
}

export function nodeFiles(root: string): ReadOnlyFiles {
  return {
    list: (path) =>
      whenThere(() => readdirSync(join(root, path), { withFileTypes: true }), []).map((item) =>
        item.isDirectory() ? `${item.name}/` : item.name,
      ),
    readFile: (path) => whenThere<Uint8Array | undefined>(() => readFileSync(join(root, path)), undefined),
  }
}

/** Files by path; a key with a `/` at the end is an empty directory. */
export function mapFiles(files: ReadonlyMap<string, Uint8Array>): ReadOnlyFiles {
  return {
    list: (path) => {
      const prefix = path === '' ? '' : `${path}/`
      const names = [...files.keys()]
        .filter((key) => key.startsWith(prefix) && key.length > prefix.length)
        .map((key) => /^[^/]+\/?/.exec(key.slice(prefix.length))?.[0] ?? '')
      return [...new Set(names)]
    },
    readFile: (path) => files.get(path),
  }
}

function whenThere<T>(read: () => T, otherwise: T): T {
  try {
    return read()
  } catch (error) {
    // Errors of node:fs come from outside the test's realm: `instanceof Error` does not hold for them.
    const { code } = error as { code?: unknown }
    if (code === 'ENOENT' || code === 'ENOTDIR') return otherwise
    throw error
  }
}
