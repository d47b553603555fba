import type { IndexEntry } from '../codec/index-codec.ts'
import { blockBytes } from '../codec/index-entry.ts'

/**
 * The blocks of one entry, sorted by id. An open block stands here with the totals of its last fold. For consecutive
 * ids a < b every record of block a that Sediment wrote lies in [a, b); foreign directories may overlap (W2), and are
 * read all the same.
 */
export class BlockIndex {
  readonly #blocks: IndexEntry[] = []
  /** Of how many blocks the latest record reaches into the next one (W2). */
  #overlaps = 0
  /** Told by how many bytes, content and descriptor, a listed block has grown. */
  onChange: ((id: bigint, addedBytes: number) => void) | undefined

  get blocks(): readonly IndexEntry[] {
    return this.#blocks
  }

  get size(): number {
    return this.#blocks.length
  }

  at(position: number): IndexEntry | undefined {
    return this.#blocks[position]
  }

  last(): IndexEntry | undefined {
    return this.#blocks.at(-1)
  }

  get(id: bigint): IndexEntry | undefined {
    const found = this.#blocks[this.floorPosition(id)]
    return found?.id === id ? found : undefined
  }

  /** Position of the block with the greatest id at or below `timestampUs`, -1 when all are above. */
  floorPosition(timestampUs: bigint): number {
    let low = 0
    let high = this.#blocks.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((this.#blocks[middle] as IndexEntry).id <= timestampUs) low = middle + 1
      else high = middle
    }
    return low - 1
  }

  /** Whether a block other than that of `floorPosition` can hold a time. Blocks beside each other tell of all. */
  get isOverlapping(): boolean {
    return this.#overlaps > 0
  }

  /** Inserts, or replaces the block of the same id. */
  set(block: IndexEntry): void {
    const position = this.floorPosition(block.id)
    const there = this.#blocks[position]
    this.#overlaps -= this.#overlapsFrom(position)
    if (there?.id === block.id) {
      this.#blocks[position] = block
      this.onChange?.(block.id, blockBytes(block) - blockBytes(there))
    } else {
      this.#blocks.splice(position + 1, 0, block)
      this.#overlaps += this.#overlapsFrom(position + 1)
      this.onChange?.(block.id, blockBytes(block))
    }
    this.#overlaps += this.#overlapsFrom(position)
  }

  delete(id: bigint): boolean {
    const position = this.floorPosition(id)
    const there = this.#blocks[position]
    if (there?.id !== id) return false
    this.#overlaps -= this.#overlapsFrom(position - 1) + this.#overlapsFrom(position)
    this.#blocks.splice(position, 1)
    this.#overlaps += this.#overlapsFrom(position - 1)
    this.onChange?.(id, -blockBytes(there))
    return true
  }

  #overlapsFrom(position: number): 0 | 1 {
    const block = this.#blocks[position]
    const next = this.#blocks[position + 1]
    return block !== undefined && next !== undefined && block.latestUs >= next.id ? 1 : 0
  }
}
