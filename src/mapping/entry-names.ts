import type { EntryName } from '../storage/index.ts'
import type { LinearPattern } from './linear-pattern.ts'

/** An entry of the store, and the topic whose records it has, where that is known. */
export interface ExistingEntry extends EntryName {
  readonly topic?: string | undefined
}

/** A name in use; `topic` is whose. */
interface Claim {
  readonly name: EntryName
  topic: string | undefined
}

/**
 * The entries that there are: one object each, so that the engine finds it by identity, and one topic each. Bounded by
 * the partitions, what the store had, and `entries.max` of each rule.
 */
export class EntryNames {
  readonly #claims = new Map<string, Claim>()

  constructor(existing: Iterable<ExistingEntry> = []) {
    for (const { bucket, entry, topic } of existing) {
      this.#claims.set(`${bucket}/${entry}`, { name: { bucket, entry }, topic })
    }
  }

  /** How many there are that a pattern of `bucket/entry` fits. */
  count(pattern: LinearPattern): number {
    let count = 0
    for (const path of this.#claims.keys()) if (pattern.test(path)) count += 1
    return count
  }

  /** For the topic, unless it is another's; `undefined`: there is none of this name yet. */
  known(path: string, topic: string): EntryName | { readonly ownedBy: string } | undefined {
    const claim = this.#claims.get(path)
    if (claim === undefined) return undefined
    claim.topic ??= topic
    return claim.topic === topic ? claim.name : { ownedBy: claim.topic }
  }

  add(name: EntryName, topic: string): EntryName {
    this.#claims.set(`${name.bucket}/${name.entry}`, { name, topic })
    return name
  }
}
