import type { EntryName } from '../storage/index.ts'

/** Names made of keys or headers are forgotten, all at once, beyond this many: they are unbounded. */
const DYNAMIC_NAMES_MAX = 65_536

/** One object an entry, so that the engine finds it by identity. */
export class EntryNames {
  readonly #fixed = new Map<string, EntryName>()
  readonly #dynamic = new Map<string, EntryName>()

  /** For good: their number is bounded by the partitions. */
  fixed(bucket: string, entry: string): EntryName {
    return intern(this.#fixed, bucket, entry)
  }

  dynamic(bucket: string, entry: string): EntryName {
    const fixed = this.#fixed.get(`${bucket}/${entry}`)
    if (fixed) return fixed
    if (this.#dynamic.size >= DYNAMIC_NAMES_MAX) this.#dynamic.clear()
    return intern(this.#dynamic, bucket, entry)
  }
}

function intern(names: Map<string, EntryName>, bucket: string, entry: string): EntryName {
  const path = `${bucket}/${entry}`
  const known = names.get(path)
  if (known) return known
  const name: EntryName = { bucket, entry }
  names.set(path, name)
  return name
}
