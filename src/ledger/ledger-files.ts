import { dirname } from 'node:path'
import { inParallel } from '../base/in-parallel.ts'
import { atomicWrite } from '../fs/atomic-write.ts'
import type { FileRef, FileSystem } from '../fs/file-system.ts'
import { writeAll } from '../fs/write-all.ts'
import { encodeFormer, formerFileOf } from './former-rows.ts'
import { PAGE_BYTES } from './gap-page.ts'
import type { LedgerRow } from './ledger-codec.ts'

const PARALLEL_SYNCS = 4

/** Pages to be written to a file, from `firstPage` on. */
export interface PagesToWrite {
  readonly file: string
  readonly firstPage: number
  readonly pages: readonly Uint8Array[]
}

/** Writes the ledger's own files, durably: bytes and names. */
export class LedgerFiles {
  /** Files and directories whose names are proven durable: by us, since we run. */
  readonly #durable = new Set<string>()

  async write(
    fs: FileSystem,
    directory: string,
    files: readonly PagesToWrite[],
    former: readonly LedgerRow[],
  ): Promise<void> {
    const unproven = new Set<string>()
    const refs: FileRef[] = []
    for (const { file, firstPage, pages } of files) {
      const path = `${directory}/${file}`
      await this.#makeDirectories(fs, directory, path, unproven)
      const ref: FileRef = { path, kind: 'log' }
      const ops = pages.map((bytes, index) => ({
        file: ref,
        atBytes: (firstPage + index) * PAGE_BYTES,
        bytes,
      }))
      await writeAll(fs, 'projection', ops)
      refs.push(ref)
    }
    await inParallel(PARALLEL_SYNCS, refs, (ref) => fs.syncFiles([ref]))
    for (const row of former) {
      const path = `${directory}/${formerFileOf(row)}`
      await this.#makeDirectories(fs, directory, path, unproven)
      await atomicWrite(fs, path, 'log', encodeFormer(row))
    }
    if (unproven.size === 0) return
    await fs.syncDirectories([...new Set([...unproven].map((path) => dirname(path)))])
    for (const path of unproven) this.#durable.add(path)
  }

  async #makeDirectories(
    fs: FileSystem,
    directory: string,
    path: string,
    unproven: Set<string>,
  ): Promise<void> {
    if (this.#durable.has(path)) return
    unproven.add(path)
    const topic = dirname(path)
    for (const above of [directory, dirname(topic), topic]) {
      if (this.#durable.has(above) || unproven.has(above)) continue
      await fs.makeDirectory(above)
      unproven.add(above)
    }
  }
}
