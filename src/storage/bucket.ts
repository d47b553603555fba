import type { StorageError } from './errors.ts'
import type { BucketSettings } from './record.ts'

/** One bucket of an open store, shared by its entries: a change of its settings counts for all of them at once. */
export class Bucket {
  readonly name: string
  settings: BucketSettings
  /** Why its settings cannot be relied on: it can be read, with others in their place, and is not changed. */
  readonly damage: StorageError | undefined
  /** Content and descriptors of all blocks, `$meta` included, with what is reserved in open ones. Kept by its entries. */
  usedBytes = 0

  constructor(name: string, settings: BucketSettings, damage?: StorageError) {
    this.name = name
    this.damage = damage
    this.settings = settings
  }
}
