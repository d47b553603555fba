import type { Clock } from '../base/clock.ts'
import { inParallel } from '../base/in-parallel.ts'
import type { OpenBlock } from './block/block.ts'
import type { BlockManager } from './block/block-manager.ts'
import { isFollowed } from './block/placement.ts'
import type { StorageObserver } from './observer.ts'
import type { StorageLimits } from './options.ts'

const TICK_MS = 250
/** Folds at once beside running groups, and when nothing else is to be done. Each waits for a few syncs. */
const FOLDS_MAX = 4
const FOLDS_MAX_IDLE = 16

/** Seals full blocks once their late records have stopped, folds large WALs, keeps the write cache in its budget. */
export class Maintenance {
  readonly #options: MaintenanceOptions
  readonly #stop = new AbortController()
  #running: Promise<void> = Promise.resolve()
  readonly #folds = new Map<OpenBlock, Promise<boolean>>()

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
    if (await this.#folds.get(block)) return true
    return this.fold(block)
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
    if (isSealed) observer.blockSealed()
    else observer.blockClosed()
    if (isEvicted) observer.cacheEvicted('write')
    return true
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
      if (clock.monotonicMs() < (options.untilMs ?? Infinity)) await this.fold(block)
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
  }
}

export interface MaintenanceOptions {
  readonly clock: Clock
  readonly observer: StorageObserver
  readonly limits: StorageLimits
  readonly manager: BlockManager
  readonly fold: (block: OpenBlock) => Promise<boolean>
  readonly poison: (cause: unknown) => void
}
