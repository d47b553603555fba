import { inParallel } from '../base/in-parallel.ts'
import type { OpenBlock } from './block/block.ts'
import { isOverfull } from './block/plan-rewrite.ts'
import type { Edits } from './commitlog/group.ts'
import type { Entry } from './entry.ts'
import { StorageError } from './errors.ts'
import type { StorageObserver } from './observer.ts'

type CommitEdits = (edits: Edits) => Promise<void>

/** Folds at once. Each waits for a few syncs. */
const FOLDS_AT_ONCE = 16

/**
 * Folds crowded blocks, and splits those that are too full, before another group is built. Beside groups either gives up for
 * each record that comes meanwhile; so a steady stream of late records would let a block grow for ever.
 */
export class CrowdRelief {
  readonly #options: CrowdReliefOptions
  /** Those that the next job takes. */
  readonly #crowded = new Set<OpenBlock>()

  constructor(options: CrowdReliefOptions) {
    this.#options = options
  }

  /** Groups wait, from the next one on, until it is done. */
  relieve(block: OpenBlock): void {
    this.#crowded.add(block)
    if (this.#crowded.size === 1) void this.#run()
  }

  async #run(): Promise<void> {
    const { exclusive, close, poison } = this.#options
    try {
      await exclusive(async (commit) => {
        const blocks = [...this.#crowded]
        this.#crowded.clear()
        await inParallel(FOLDS_AT_ONCE, blocks, close)
        for (const block of blocks) await this.#split(commit, block)
      })
    } catch (error) {
      // Closed or poisoned: whoever does that sees to the blocks.
      if (!(error instanceof StorageError)) poison(error)
    }
  }

  /** A block that cannot be split stays as it is, and is asked for again when it has grown. */
  async #split(commit: CommitEdits, { entry, id }: OpenBlock): Promise<void> {
    const { rewrite, observer } = this.#options
    const cold = entry.open.has(id) ? undefined : entry.index.get(BigInt(id))
    if (cold === undefined) return
    const totals = { recordCount: cold.recordCount, sizeBytes: Number(cold.sizeBytes) }
    if (!isOverfull(totals, entry.blockLimits)) return
    try {
      const blocks = await rewrite(commit, entry, id)
      if (blocks > 0) observer.blockRewritten(blocks)
    } catch (error) {
      if (!(error instanceof StorageError) || error.code === 'ERR_POISONED') throw error
    }
  }
}

export interface CrowdReliefOptions {
  /** As `GroupCommit.exclusive`. */
  readonly exclusive: (job: (commit: CommitEdits) => Promise<void>) => Promise<void>
  readonly close: (block: OpenBlock) => Promise<boolean>
  /** As `rewriteBlock`, within the exclusive job whose `commit` is given. */
  readonly rewrite: (commit: CommitEdits, entry: Entry, blockId: number) => Promise<number>
  readonly observer: StorageObserver
  readonly poison: (cause: unknown) => void
}
