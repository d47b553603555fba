import { inParallel } from '../base/in-parallel.ts'
import type { OpenBlock } from './block/block.ts'
import { isListedOverfull } from './block/plan-rewrite.ts'
import type { Edits } from './commitlog/group.ts'
import { StorageError } from './errors.ts'
import type { RewriteTarget } from './mutation/rewrite-block.ts'
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
    if (this.#crowded.has(block)) return
    this.#crowded.add(block)
    if (this.#crowded.size === 1) void this.#run()
  }

  async #run(): Promise<void> {
    const { exclusive, close, rewrite, observer, poison } = this.#options
    try {
      await exclusive(async (commit) => {
        const blocks = [...this.#crowded]
        this.#crowded.clear()
        await inParallel(FOLDS_AT_ONCE, blocks, close)
        const tooFull = blocks.filter(isTooFull).map(({ entry, id }) => ({ entry, id: BigInt(id) }))
        await rewrite(commit, tooFull, (blocksInstead) => observer.blockRewritten(blocksInstead))
      })
    } catch (error) {
      // Closed or poisoned: whoever does that sees to the blocks.
      if (!(error instanceof StorageError)) poison(error)
    }
  }
}

/** A block that is open still could not be folded; it is asked for again when it has grown. */
function isTooFull({ entry, id }: OpenBlock): boolean {
  return !entry.open.has(id) && isListedOverfull(entry, id)
}

export interface CrowdReliefOptions {
  /** As `GroupCommit.exclusive`. */
  readonly exclusive: (job: (commit: CommitEdits) => Promise<void>) => Promise<void>
  readonly close: (block: OpenBlock) => Promise<boolean>
  /** As `rewriteBlocks`, within the exclusive job whose `commit` is given. */
  readonly rewrite: (
    commit: CommitEdits,
    blocks: readonly RewriteTarget[],
    rewritten: (blocksInstead: number) => void,
  ) => Promise<void>
  readonly observer: StorageObserver
  readonly poison: (cause: unknown) => void
}
