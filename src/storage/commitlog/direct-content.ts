import { dirname } from 'node:path'
import type { FileSystem, WriteOp } from '../../fs/file-system.ts'
import { writeAll, writeAllAndSync } from '../../fs/write-all.ts'
import type { BuiltBlock } from './group.ts'

/**
 * Large content is written through one buffer of this size. Memory that is shared with the disk worker is freed only after
 * garbage collections on both sides, which its size does not bring on: a new piece for each record of 30 MB would stay.
 */
const STAGE_BYTES_MAX = 4 * 1024 * 1024

/** Content that goes home before its frame: into the data file at once, not into the log first. */
export class DirectContent {
  readonly #fs: FileSystem
  readonly #stageBytes: number
  #stage: Uint8Array | undefined
  #staging: Promise<unknown> = Promise.resolve()

  /** @param groupBytesMax of the store: the buffer is no larger */
  constructor(fs: FileSystem, groupBytesMax: number) {
    this.#fs = fs
    this.#stageBytes = Math.min(STAGE_BYTES_MAX, groupBytesMax)
  }

  /** Resolves when the content of these blocks is durable, and the names of its files too (W2). */
  async write(blocks: readonly BuiltBlock[]): Promise<void> {
    const direct = blocks.filter((part) => part.direct)
    if (direct.length === 0) return
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

  async #writeScattered(blocks: readonly BuiltBlock[]): Promise<void> {
    if (blocks.length === 0) return
    const stage = (this.#stage ??= this.#fs.allocate(this.#stageBytes))
    for (const { block, blkAtBytes, scattered } of blocks) {
      let atBytes = blkAtBytes
      let stagedBytes = 0
      const flush = async (): Promise<void> => {
        const op: WriteOp = { file: block.data, atBytes, bytes: stage.subarray(0, stagedBytes) }
        await writeAll(this.#fs, 'projection', [op])
        atBytes += stagedBytes
        stagedBytes = 0
      }
      for (const content of scattered) {
        for (let from = 0; from < content.byteLength;) {
          const part = content.subarray(from, from + stage.byteLength - stagedBytes)
          stage.set(part, stagedBytes)
          stagedBytes += part.byteLength
          from += part.byteLength
          if (stagedBytes === stage.byteLength) await flush()
        }
      }
      if (stagedBytes > 0) await flush()
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
