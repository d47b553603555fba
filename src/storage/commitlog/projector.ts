import { dirname } from 'node:path'
import type { FileSystem, WriteOp } from '../../fs/file-system.ts'
import { writeAll } from '../../fs/write-all.ts'
import type { DirtySet } from '../dirty-set.ts'
import type { BuiltGroup, EntryChange } from './group.ts'

/**
 * Carries durable frames into ReductStore's files, in frame order, one job at a time. Folds run their last steps
 * here too: what a job sees does not change under it, but for new reservations.
 *
 * Order within a block: content, then the index entry without CRC, then the WAL bytes behind the first, then the
 * first byte, which makes the entries visible (format 14.3). A kill -9 between any two writes leaves files that
 * stock opens with every acknowledged record.
 */
export class Projector {
  readonly #fs: FileSystem
  readonly #dirty: DirtySet
  readonly #change: (changes: readonly EntryChange[], sequence: number) => Promise<void>
  #tail: Promise<void> = Promise.resolve()

  /** @param change carries the block changes of one frame into the files */
  constructor(
    fs: FileSystem,
    dirty: DirtySet,
    change: (changes: readonly EntryChange[], sequence: number) => Promise<void>,
  ) {
    this.#fs = fs
    this.#dirty = dirty
    this.#change = change
  }

  /** Runs `job` after everything queued before it. A failure rejects here and does not stop later jobs. */
  run<T>(job: () => Promise<T>): Promise<T> {
    const result = this.#tail.then(job)
    this.#tail = result.then(
      () => undefined,
      () => undefined,
    )
    return result
  }

  /** Resolves when the group is visible to readers. Its frame must be durable. */
  project(group: BuiltGroup): Promise<void> {
    return this.run(async () => {
      const ops: WriteOp[] = []
      for (const { block, direct, walAtBytes, blkAtBytes, entries, content } of group.blocks) {
        const isNew = walAtBytes === 0
        // An empty write makes the file: a listed block always has one.
        if (!direct && (content.byteLength > 0 || isNew)) {
          ops.push({ file: block.data, atBytes: blkAtBytes, bytes: content })
          this.#dirty.file(block.data)
        }
        if (!block.isListedOpen) {
          ops.push(block.entry.indexFile.append(block.entry.indexEntryOf(block)))
          block.isListedOpen = true
          this.#dirty.file(block.entry.indexFile.file)
        }
        ops.push({ file: block.wal, atBytes: walAtBytes + 1, bytes: entries.subarray(1) })
        ops.push({ file: block.wal, atBytes: walAtBytes, bytes: entries.subarray(0, 1) })
        this.#dirty.file(block.wal)
        if (isNew) {
          this.#dirty.directory(dirname(block.data.path))
          this.#dirty.directory(dirname(block.wal.path))
        }
      }
      await writeAll(this.#fs, 'projection', ops)
      for (const { block, walAtBytes, entries } of group.blocks) {
        block.walProjectedBytes = walAtBytes + entries.byteLength - 1
        block.pendingGroups -= 1
      }
      if (group.changes.length > 0) await this.#change(group.changes, group.sequence)
    })
  }
}
