import { crc32 } from '../../../base/crc32.ts'
import type { Logger } from '../../../base/logger.ts'
import { atomicWrite } from '../../../fs/atomic-write.ts'
import type { FileSystem } from '../../../fs/file-system.ts'
import { moveFile } from '../../../fs/move-file.ts'

/** Of a file name's 255 bytes, what is left beside generation, checksum and suffixes. */
const NAME_BYTES_MAX = 200

/** Where files go that an open would not trust. Nothing is deleted on doubt. */
export class Quarantine {
  readonly #fs: FileSystem
  readonly #logger: Logger
  readonly #root: string
  readonly #directory: string
  readonly #prefix: string
  /** Files kept aside so far. */
  count = 0

  /**
   * @param root the data directory: names of kept files say where below it they were
   * @param generation of the store that opens; in front of every name
   */
  constructor(options: {
    fs: FileSystem
    logger: Logger
    root: string
    directory: string
    generation: number
  }) {
    this.#fs = options.fs
    this.#logger = options.logger
    this.#root = options.root
    this.#directory = options.directory
    this.#prefix = `${options.directory}/${options.generation}-`
  }

  /**
   * Takes the file away, durably, with the reason beside it (`<name>.reason`). A file that is not there was taken
   * before an interruption.
   */
  async take(path: string, reason: string): Promise<void> {
    if ((await this.#fs.fileBytes(path)) === undefined) return
    const aside = await this.#explain(path, reason)
    await moveFile(this.#fs, path, { path: aside, kind: 'data' })
    await this.#fs.syncDirectories([path.slice(0, path.lastIndexOf('/')), this.#directory])
    this.#count(path, aside, reason)
  }

  /**
   * As `take`, a directory with all that is in it, whether or not that can be read; or whatever else is there.
   * @throws {FileSystemError} `ERR_OTHER_VOLUME`
   */
  async takeTree(path: string, reason: string): Promise<void> {
    const parent = path.slice(0, path.lastIndexOf('/'))
    const items = (await this.#fs.list(parent)) ?? []
    if (!items.some(({ name }) => `${parent}/${name}` === path)) return
    const aside = await this.#explain(path, reason)
    await this.#fs.rename(path, aside)
    await this.#fs.syncDirectories([parent, this.#directory])
    this.#count(path, aside, reason)
  }

  /** Keeps these bytes of a file that stays, and will be changed; once. */
  async copy(path: string, bytes: Uint8Array, reason: string): Promise<void> {
    if ((await this.#fs.fileBytes(this.#nameOf(path))) !== undefined) return
    const aside = await this.#explain(path, reason)
    await atomicWrite(this.#fs, aside, 'descriptor', bytes)
    this.#count(path, aside, reason)
  }

  #nameOf(path: string): string {
    const name = encodeURIComponent(path.slice(this.#root.length + 1))
    if (name.length <= NAME_BYTES_MAX) return `${this.#prefix}${name}`
    return `${this.#prefix}${crc32(name).toString(16)}-${name.slice(-NAME_BYTES_MAX)}`
  }

  async #explain(path: string, reason: string): Promise<string> {
    await this.#fs.makeDirectory(this.#directory)
    const aside = this.#nameOf(path)
    await atomicWrite(this.#fs, `${aside}.reason`, 'descriptor', Buffer.from(`${reason}\n`))
    return aside
  }

  #count(path: string, aside: string, reason: string): void {
    this.count += 1
    this.#logger.warn({ path, aside, reason }, 'kept aside')
  }
}
