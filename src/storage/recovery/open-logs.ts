import type { FileReader, FileSystem } from '../../fs/file-system.ts'

/** Log files that many small parts are read from; each is opened once. */
export class OpenLogs implements Pick<FileSystem, 'read'> {
  readonly #fs: FileSystem
  readonly #files = new Map<string, FileReader>()

  constructor(fs: FileSystem) {
    this.#fs = fs
  }

  async read(path: string, atBytes: number, lengthBytes: number): Promise<Uint8Array> {
    const file = this.#files.get(path) ?? this.#fs.openToRead(path)
    this.#files.set(path, file)
    const bytes = new Uint8Array(lengthBytes)
    return bytes.subarray(0, await file.read(atBytes, bytes))
  }

  async close(): Promise<void> {
    for (const file of this.#files.values()) await file.close()
  }
}
