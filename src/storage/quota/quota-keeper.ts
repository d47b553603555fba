import type { Clock } from '../../base/clock.ts'
import { crc64 } from '../../base/crc64.ts'
import type { Logger } from '../../base/logger.ts'
import type { FileSystem } from '../../fs/file-system.ts'
import type { OpenBlock } from '../block/block.ts'
import type { Bucket } from '../bucket.ts'
import { blockBytes } from '../codec/index-entry.ts'
import type { IndexEntry } from '../codec/index-codec.ts'
import type { EntryChange } from '../commitlog/group.ts'
import type { Entry } from '../entry.ts'
import { StorageError } from '../errors.ts'
import type { StorageObserver } from '../observer.ts'
import type { EntryName } from '../record.ts'
import { weighRecord, type Weighable } from '../record-weight.ts'
import { chooseVictim, type Victim } from './choose-victim.ts'
import { readMessage } from '../read-message.ts'

/** Blocks that one frame lets go of at most: each takes a few syncs while groups wait. */
const EVICTIONS_MAX = 32
/** An open block that goes next is folded ahead of time from this share of the quota on. */
const PLAN_SHARE = 15 / 16
const LOG_INTERVAL_MS = 60_000

export interface QuotaKeeperOptions {
  readonly fs: FileSystem
  readonly clock: Clock
  readonly logger: Logger
  readonly observer: StorageObserver
  readonly catalogue: {
    readonly buckets: Iterable<Bucket>
    entriesBelow(bucket: string): readonly Entry[]
    find(name: EntryName): Entry | undefined
  }
  /** Folds an open block that is not being written. @returns whether it is cold now */
  readonly close: (block: OpenBlock) => Promise<boolean>
  /** Waited for before any block goes. */
  readonly markRemoval: () => Promise<void>
}

interface EvictionSum {
  blocks: number
  records: number
  bytes: number
  recordsNeverRead: number
  loggedMs: number | undefined
}

/**
 * Holds buckets to their quotas. HARD refuses what does not fit; FIFO takes it and lets the oldest blocks go in the same
 * frame. Usage is what ReductStore counts, content and descriptors of all blocks; descriptors of the group being built are
 * estimated until it is laid out.
 */
export class QuotaKeeper {
  readonly #options: QuotaKeeperOptions
  /** By bucket: descriptors of records that are reserved in the group being built. */
  readonly #estimates = new Map<Bucket, number>()
  readonly #sums = new Map<string, EvictionSum>()

  constructor(options: QuotaKeeperOptions) {
    this.#options = options
  }

  /** Why these records cannot be taken. Their entries exist. */
  refusal(writes: readonly Weighable[]): StorageError | undefined {
    if (!this.#hasQuotas()) return undefined
    for (const [bucket, { bytes, greatestBytes }] of this.#weigh(writes)) {
      const { quota } = bucket.settings
      if (quota.kind === 'hard' && this.#usedBytes(bucket) + bytes > quota.bytes) {
        this.#options.observer.quotaRefused({ bucket: bucket.name })
        return exceeded(bucket, this.#usedBytes(bucket), bytes)
      }
      if (quota.kind === 'fifo' && greatestBytes > quota.bytes) {
        this.#options.observer.quotaRefused({ bucket: bucket.name })
        return tooLarge(bucket, greatestBytes)
      }
    }
    return undefined
  }

  /** These records are reserved in the group being built. */
  reserved(writes: readonly Weighable[]): void {
    if (!this.#hasQuotas()) return
    for (const [bucket, { bytes, contentBytes }] of this.#weigh(writes))
      this.#estimates.set(bucket, (this.#estimates.get(bucket) ?? 0) + bytes - contentBytes)
  }

  /** The group is laid out: usage counts its descriptors. */
  laidOut(): void {
    this.#estimates.clear()
  }

  /** Whether so many bytes fit into the bucket, or it would be made for them. */
  hasRoom(bucketName: string, bytes: number): boolean {
    for (const bucket of this.#options.catalogue.buckets) {
      if (bucket.name !== bucketName) continue
      const { quota } = bucket.settings
      if (quota.kind === 'hard') return this.#usedBytes(bucket) + bytes <= quota.bytes
      return quota.kind === 'none' || bytes <= quota.bytes
    }
    return true
  }

  /** Whether a bucket that evicts is over its quota. */
  get isOver(): boolean {
    for (const bucket of this.#options.catalogue.buckets) if (this.#excessBytes(bucket) > 0) return true
    return false
  }

  /**
   * The blocks that have to go for every bucket to keep its quota, the oldest first; those that are open get folded. The
   * caller puts them into a frame before anything else is reserved.
   * @param coming of one bucket, what is about to be reserved
   */
  async evictions(coming?: { readonly bucket: Bucket; readonly bytes: number }): Promise<EntryChange[]> {
    const changes: EntryChange[] = []
    for (const bucket of this.#options.catalogue.buckets) {
      let excessBytes = this.#excessBytes(bucket, coming?.bucket === bucket ? coming.bytes : 0)
      if (excessBytes <= 0) continue
      const taken = new Set<string>()
      const isTaken = (listed: IndexEntry, of: Entry): boolean => taken.has(`${of.name.entry} ${listed.id}`)
      const entries = this.#options.catalogue.entriesBelow(bucket.name)
      while (excessBytes > 0 && changes.length < EVICTIONS_MAX) {
        const victim = chooseVictim(entries, isTaken)
        if (victim === undefined) break
        taken.add(`${victim.entry.name.entry} ${victim.listed.id}`)
        const change = await this.#toChange(victim)
        if (change === undefined) continue
        changes.push(change)
        excessBytes -= this.#noteEviction(change)
      }
    }
    if (changes.length > 0) await this.#options.markRemoval()
    return changes
  }

  /** Open blocks that go next; nothing is written to them. */
  openVictims(): OpenBlock[] {
    const blocks: OpenBlock[] = []
    for (const bucket of this.#options.catalogue.buckets) {
      const { quota } = bucket.settings
      if (quota.kind !== 'fifo' || bucket.usedBytes < quota.bytes * PLAN_SHARE) continue
      const victim = chooseVictim(this.#options.catalogue.entriesBelow(bucket.name), () => false)
      if (victim?.open !== undefined && victim.entry.hot !== victim.open) blocks.push(victim.open)
    }
    return blocks
  }

  async #toChange({ entry, listed, open }: Victim): Promise<EntryChange | undefined> {
    const { fs, close } = this.#options
    if (open !== undefined && !(await close(open))) return undefined
    // Folded or not, it is cold now; an index of others may have no checksum.
    const cold = entry.index.get(listed.id)
    if (cold === undefined) return undefined
    let baseCrc64 = cold.crc64
    if (baseCrc64 === undefined) {
      const bytes = await readMessage(fs, entry.paths.descriptor(cold.id))
      if (bytes === undefined) return undefined
      baseCrc64 = crc64(bytes)
    }
    return { entry, change: { ...entry.name, kind: 'drop', blockId: Number(cold.id), baseCrc64 } }
  }

  /** @returns how many bytes the bucket gets back */
  #noteEviction({ entry, change }: EntryChange): number {
    const { observer, logger, clock } = this.#options
    const cold = entry.index.get(BigInt(change.blockId))
    if (cold === undefined) return 0
    const bytes = blockBytes(cold)
    const records = cold.recordCount
    const wasRead = entry.read.has(change.blockId)
    const bucket = entry.name.bucket
    observer.blockEvicted({ ...entry.name, blockId: change.blockId, records, bytes, wasRead })

    const sum = this.#sums.get(bucket) ?? noEvictions()
    sum.blocks += 1
    sum.records += records
    sum.bytes += bytes
    if (!wasRead) sum.recordsNeverRead += records
    this.#sums.set(bucket, sum)
    const nowMs = clock.monotonicMs()
    if (sum.loggedMs !== undefined && nowMs - sum.loggedMs < LOG_INTERVAL_MS) return bytes
    const { loggedMs: _loggedMs, ...facts } = sum
    logger.warn({ bucket, ...facts }, 'oldest blocks evicted to keep the quota of the bucket')
    this.#sums.set(bucket, { ...noEvictions(), loggedMs: nowMs })
    return bytes
  }

  #hasQuotas(): boolean {
    for (const { settings } of this.#options.catalogue.buckets)
      if (settings.quota.kind !== 'none') return true
    return false
  }

  #usedBytes(bucket: Bucket): number {
    return bucket.usedBytes + (this.#estimates.get(bucket) ?? 0)
  }

  #excessBytes(bucket: Bucket, comingBytes = 0): number {
    const { quota } = bucket.settings
    return quota.kind === 'fifo' ? this.#usedBytes(bucket) + comingBytes - quota.bytes : 0
  }

  #weigh(writes: readonly Weighable[]): Map<Bucket, Weight> {
    const weights = new Map<Bucket, Weight>()
    for (const write of writes) {
      const bucket = this.#options.catalogue.find(write.target)?.bucket
      if (bucket === undefined || bucket.settings.quota.kind === 'none') continue
      const weight = weights.get(bucket) ?? { bytes: 0, contentBytes: 0, greatestBytes: 0 }
      const bytes = weighRecord(write)
      weight.bytes += bytes
      weight.contentBytes += write.content.byteLength
      weight.greatestBytes = Math.max(weight.greatestBytes, bytes)
      weights.set(bucket, weight)
    }
    return weights
  }
}

interface Weight {
  bytes: number
  contentBytes: number
  greatestBytes: number
}

function noEvictions(): EvictionSum {
  return { blocks: 0, records: 0, bytes: 0, recordsNeverRead: 0, loggedMs: undefined }
}

function exceeded({ name, settings }: Bucket, usedBytes: number, bytes: number): StorageError {
  return new StorageError(
    'ERR_QUOTA',
    `quota of bucket '${name}' exceeded: ${usedBytes} of ${settings.quota.bytes} bytes are used, ${bytes} more were asked for; ` +
      `raise it with: sediment bucket set ${name} --quota hard:BYTES, or remove something`,
    { bucket: name, bytes },
  )
}

function tooLarge({ name, settings }: Bucket, bytes: number): StorageError {
  return new StorageError(
    'ERR_QUOTA',
    `a record of ${bytes} bytes is larger than the quota of bucket '${name}', ${settings.quota.bytes} bytes; ` +
      `raise it with: sediment bucket set ${name} --quota fifo:BYTES`,
    { bucket: name, bytes },
  )
}
