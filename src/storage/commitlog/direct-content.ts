import { dirname } from 'node:path'
import { copyInto } from '../../base/copy-into.ts'
import type { FileSystem, WriteOp } from '../../fs/file-system.ts'
import { PAGE_BYTES, pageGap } from '../../fs/page.ts'
import { writeAll, writeAllAndSync } from '../../fs/write-all.ts'
import type { OpenBlock } from '../block/block.ts'
import type { StorePaths } from '../paths.ts'
import { noteAhead } from './content-ahead.ts'
import type { BuiltBlock, BuiltGroup } from './group.ts'

/**
 * Large content is written through one buffer of this size. Memory that is shared with the disk worker is freed only after
 * garbage collections on both sides, which its size does not bring on: a new piece for each record of 30 MB would stay.
 */
const STAGE_BYTES_MAX = 4 * 1024 * 1024

/** Content that goes home before its frame: into the data file at once, not into the log first. */
export class DirectContent {
  readonly #fs: FileSystem
  readonly #paths: StorePaths
  readonly #stageBytes: number
  #stage: Uint8Array | undefined
  #staging: Promise<unknown> = Promise.resolve()
  #noting: Promise<unknown> = Promise.resolve()
  /** Blocks that no frame known to be durable names, and the first frame that will. */
  readonly #ahead = new Map<OpenBlock, number>()

  /** @param groupBytesMax of the store: the buffer is larger by a page at the most */
  constructor(fs: FileSystem, paths: StorePaths, groupBytesMax: number) {
    this.#fs = fs
    this.#paths = paths
    this.#stageBytes = Math.min(STAGE_BYTES_MAX, groupBytesMax) + PAGE_BYTES
  }

  /** Resolves when the content of these blocks is durable, and the names of its files too (W2). */
  async write({ sequence, blocks }: BuiltGroup): Promise<void> {
    const direct = blocks.filter((part) => part.direct)
    if (direct.length === 0) return
    const nameless = direct.flatMap(({ block }) => (isNamed(block) ? [] : [block]))
    if (nameless.length > 0) await this.#note(nameless, sequence)
    const scattered = direct.filter((part) => part.scattered.length > 0)
    const laidOut = direct.filter((part) => part.scattered.length === 0)
    await Promise.all([
      writeAllAndSync(
        this.#fs,
        'projection',
        laidOut.map(({ block, blkAtBytes, content }) => ({
          file: block.data,
          atBytes: blkAtBytes,
          bytes: content,
        })),
      ),
      this.#inTurn(() => this.#writeScattered(scattered)),
    ])
    const unnamed = direct.filter(({ block }) => !block.isNameDurable)
    if (unnamed.length === 0) return
    await this.#fs.syncDirectories([...new Set(unnamed.map(({ block }) => dirname(block.data.path)))])
    for (const { block } of unnamed) block.isNameDurable = true
  }

  /** Before there is a file that a crash would leave without a name; in turn, for another frame may be noting the same. */
  #note(blocks: readonly OpenBlock[], sequence: number): Promise<void> {
    const turn = this.#noting.then(async () => {
      for (const block of this.#ahead.keys()) if (isNamed(block)) this.#ahead.delete(block)
      const begun = blocks.filter((block) => !this.#ahead.has(block))
      if (begun.length === 0) return
      for (const block of begun) this.#ahead.set(block, sequence)
      const noted = Array.from(this.#ahead, ([{ entry, id }, first]) => {
        const { name } = entry
        return { bucket: name.bucket, entry: name.entry, blockId: id, sequence: first }
      })
      await noteAhead(this.#fs, this.#paths, noted)
    })
    this.#noting = turn.catch(() => undefined)
    return turn
  }

  async #writeScattered(blocks: readonly BuiltBlock[]): Promise<void> {
    if (blocks.length === 0) return
    const stage = (this.#stage ??= this.#fs.allocate(this.#stageBytes))
    for (const { block, blkAtBytes, scattered } of blocks) {
      let atBytes = blkAtBytes
      let from = pageGap(stage.byteOffset, blkAtBytes)
      let to = from
      const flush = async (): Promise<void> => {
        const op: WriteOp = { file: block.data, atBytes, bytes: stage.subarray(from, to) }
        await writeAll(this.#fs, 'projection', [op])
        atBytes += to - from
        from = pageGap(stage.byteOffset, atBytes)
        to = from
      }
      for (const content of scattered) {
        for (let taken = 0; taken < content.byteLength;) {
          const part = content.subarray(taken, taken + stage.byteLength - to)
          copyInto(stage, to, part)
          to += part.byteLength
          taken += part.byteLength
          if (to === stage.byteLength) await flush()
        }
      }
      if (to > from) await flush()
    }
    await this.#fs.syncFiles(blocks.map(({ block }) => block.data))
  }

  /** Two frames may write at a time; the buffer is for one. */
  #inTurn(work: () => Promise<void>): Promise<void> {
    const turn = this.#staging.then(work)
    this.#staging = turn.catch(() => undefined)
    return turn
  }
}

/** By a descriptor, or by a frame that is durable. */
function isNamed({ baseCrc64, isListedOpen }: OpenBlock): boolean {
  return baseCrc64 !== undefined || isListedOpen
}
