import type { BucketSettings } from './record.ts'

/** One bucket of an open store, shared by its entries: a change of its settings counts for all of them at once. */
export class Bucket {
  readonly name: string
  settings: BucketSettings
  /** Content and descriptors of all blocks, `$meta` included, with what is reserved in open ones. Kept by its entries. */
  usedBytes = 0

  constructor(name: string, settings: BucketSettings) {
    this.name = name
    this.settings = settings
  }
}
