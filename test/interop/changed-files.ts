import { createHash } from 'node:crypto'
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'

/** Hash of each file, by path below `root`. */
export function hashFiles(root: string): Map<string, string> {
  const hashes = new Map<string, string>()
  for (const path of readdirSync(root, { recursive: true, encoding: 'utf8' })) {
    const file = join(root, path)
    if (statSync(file).isFile())
      hashes.set(path, createHash('sha256').update(readFileSync(file)).digest('hex'))
  }
  return hashes
}

/** Files of `before` that are not the same in `after`. */
export function changedFiles(
  before: ReadonlyMap<string, string>,
  after: ReadonlyMap<string, string>,
): string[] {
  return [...before].filter(([path, hash]) => after.get(path) !== hash).map(([path]) => path)
}
