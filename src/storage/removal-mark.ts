import type { Clock } from '../base/clock.ts'
import { atomicWrite } from '../fs/atomic-write.ts'
import type { FileSystem } from '../fs/file-system.ts'
import type { StorePaths } from './paths.ts'

/**
 * `.sediment/removals`: JSON, durable before the first record leaves its place by a removal, a quota or a rename. While it
 * is missing, every record that was ever acknowledged must be in the entry that it was written to.
 */
export class RemovalMark {
  readonly #fs: FileSystem
  readonly #path: string
  readonly #clock: Pick<Clock, 'nowUs'>
  #isSet: Promise<void> | undefined

  constructor(fs: FileSystem, { removals }: StorePaths, clock: Pick<Clock, 'nowUs'>) {
    this.#fs = fs
    this.#path = removals
    this.#clock = clock
  }

  /** Resolves when the mark is durable: to be waited for before the frame, or the rename, of any removal. */
  set(): Promise<void> {
    this.#isSet ??= this.#write()
    return this.#isSet
  }

  async #write(): Promise<void> {
    if ((await this.#fs.fileBytes(this.#path)) !== undefined) return
    const since = new Date(this.#clock.nowUs() / 1000).toISOString()
    await atomicWrite(this.#fs, this.#path, 'log', Buffer.from(`${JSON.stringify({ since })}\n`))
  }
}
