import type { Clock } from '../base/clock.ts'
import { inParallel } from '../base/in-parallel.ts'
import type { OpenBlock } from './block/block.ts'
import { isListedOverfull } from './block/plan-rewrite.ts'
import type { BlockManager } from './block/block-manager.ts'
import { isFollowed } from './block/placement.ts'
import type { Entry } from './entry.ts'
import { StorageError } from './errors.ts'
import type { RewriteTarget } from './mutation/rewrite-block.ts'
import type { StorageObserver } from './observer.ts'
import type { StorageLimits } from './options.ts'

const TICK_MS = 250
/** Folds at once beside running groups, and when nothing else is to be done. Each waits for a few syncs. */
const FOLDS_MAX = 4
const FOLDS_MAX_IDLE = 16
/** Of the write cache's budget, from which on groups wait for it. */
const CACHE_FACTOR = 2

/** Seals full blocks once their late records have stopped, folds large WALs, keeps the write cache in its budget. */
export class Maintenance {
  readonly #options: MaintenanceOptions
  readonly #stop = new AbortController()
  #running: Promise<void> = Promise.resolve()
  readonly #folds = new Map<OpenBlock, Promise<boolean>>()
  #rewrites: Promise<void> = Promise.resolve()
  /** Blocks that may be too full, or have holes. */
  readonly #toRewrite = new Map<string, RewriteTarget>()

  constructor(options: MaintenanceOptions) {
    this.#options = options
  }

  start(): void {
    this.#running = this.#run()
  }

  async stop(): Promise<void> {
    this.#stop.abort()
    await this.#running
  }

  /** Folds one block, and reports it. @returns whether it is cold now */
  fold(block: OpenBlock, isEvicted = false): Promise<boolean> {
    if (this.#folds.has(block)) return Promise.resolve(false)
    const fold = this.#fold(block, isEvicted).finally(() => this.#folds.delete(block))
    this.#folds.set(block, fold)
    return fold
  }

  /** As `fold`, behind a fold that runs. While nothing is being written the block is cold afterwards, but for uploads. */
  async close(block: OpenBlock): Promise<boolean> {
    const isCold = (): boolean => block.entry.open.get(block.id) !== block
    while (!isCold()) {
      const running = this.#folds.get(block)
      if (running === undefined) return (await this.fold(block)) || isCold()
      await running
    }
    return true
  }

  async #fold(block: OpenBlock, isEvicted: boolean): Promise<boolean> {
    const { fold, observer, poison } = this.#options
    const isSealed = this.#isDone(block)
    try {
      if (!(await fold(block))) return false
    } catch (cause) {
      // Whoever asked for it: a write or sync has failed.
      poison(cause)
      throw cause
    }
    const { entry, id } = block
    if (isListedOverfull(entry, id)) this.rewriteLater(entry, id)
    if (isSealed) observer.blockSealed()
    else observer.blockClosed()
    if (isEvicted) observer.cacheEvicted('write')
    return true
  }

  /** The block is looked at by the next tick: split when it is too full, copied when it has large holes. */
  rewriteLater(entry: Entry, blockId: number): void {
    // Its limits are not known.
    if (entry.bucket.damage !== undefined) return
    this.#toRewrite.set(entry.paths.data(blockId), { entry, id: BigInt(blockId) })
  }

  /** When it resolves no rewrite is under way that was due before. */
  rewriteDue(): Promise<void> {
    const turn = this.#rewrites.then(() => this.#rewriteDue())
    this.#rewrites = turn.catch(() => {})
    return turn
  }

  async #rewriteDue(): Promise<void> {
    const { rewrite, observer } = this.#options
    while (this.#toRewrite.size > 0) {
      const due = [...this.#toRewrite.values()]
      this.#toRewrite.clear()
      try {
        await rewrite(due, (blocks) => observer.blockRewritten(blocks))
      } catch (error) {
        if (!(error instanceof StorageError) || error.code !== 'ERR_CLOSED') throw error
      }
    }
  }

  /** Folds every open block that is not being written to, until `untilMs`. */
  async foldAll(options: {
    untilMs?: number
    progress?: ((done: number, total: number) => void) | undefined
  }): Promise<void> {
    const { clock, manager } = this.#options
    const blocks = [...manager.openBlocks]
    let done = 0
    await inParallel(FOLDS_MAX_IDLE, blocks, async (block) => {
      if (clock.monotonicMs() < (options.untilMs ?? Infinity)) await this.close(block)
      options.progress?.(++done, blocks.length)
    })
  }

  /** A block that is full by bytes lies below its limit: the record that did not fit has started the next one. */
  #isDone(block: OpenBlock): boolean {
    return block.isFull(0) || isFollowed(block, this.#options.clock)
  }

  async #run(): Promise<void> {
    const { clock, poison } = this.#options
    try {
      for (;;) {
        await clock.sleep(TICK_MS, this.#stop.signal)
        if (this.#stop.signal.aborted) return
        await this.#tick()
      }
    } catch (cause) {
      poison(cause)
    }
  }

  async #tick(): Promise<void> {
    const { clock, limits, manager, observer } = this.#options
    const nowMs = clock.monotonicMs()
    const due = [...manager.openBlocks].filter(
      (block) =>
        (this.#isDone(block) && nowMs - block.touchedMs >= limits.sealIdleMs) ||
        block.walReservedBytes >= limits.walBytesMax,
    )
    await inParallel(FOLDS_MAX, due, (block) => this.fold(block))

    await this.#options.keepQuotas()

    observer.cacheSized('write', manager.cacheBytes, manager.openBlocks.size)
    let excessBytes = manager.cacheBytes - limits.writeCacheBytesMax
    const evicted: OpenBlock[] = []
    for (const block of manager.openBlocks) {
      if (excessBytes <= 0) break
      if (block.pendingGroups > 0) continue
      excessBytes -= block.cacheBytes
      evicted.push(block)
    }
    await inParallel(FOLDS_MAX, evicted, (block) => this.fold(block, true))
    this.#relieveCache()
    await this.rewriteDue()
  }

  /** Where no block is without a pending group, the least recently used ones are not waited for any longer. */
  #relieveCache(): void {
    const { limits, manager, relieve } = this.#options
    let excessBytes = manager.cacheBytes - limits.writeCacheBytesMax * CACHE_FACTOR
    for (const block of manager.openBlocks) {
      if (excessBytes <= 0) return
      if (block.holds > 0) continue
      excessBytes -= block.cacheBytes
      relieve(block)
    }
  }
}

export interface MaintenanceOptions {
  readonly clock: Clock
  readonly observer: StorageObserver
  readonly limits: StorageLimits
  readonly manager: BlockManager
  readonly fold: (block: OpenBlock) => Promise<boolean>
  /** As `rewriteBlocks`. */
  readonly rewrite: (
    blocks: readonly RewriteTarget[],
    rewritten: (blocksInstead: number) => void,
  ) => Promise<void>
  /** As `CrowdRelief.relieve`. */
  readonly relieve: (block: OpenBlock) => void
  /** Lets go of what buckets have too much, also while nothing is written. */
  readonly keepQuotas: () => Promise<void>
  readonly poison: (cause: unknown) => void
}
