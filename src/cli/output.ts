import type { Writable } from 'node:stream'

/** Nobody reads our output any more (`sediment ls | head`): the command ends quietly, with success. */
export class OutputClosed extends Error {
  override readonly name = 'OutputClosed'
}

/** Output could not be written, such as to a file on a full volume. */
export class OutputFailed extends Error {
  override readonly name = 'OutputFailed'

  constructor(cause: Error) {
    super(`standard output cannot be written: ${cause.message}`, { cause })
  }
}

/** Standard output of a command: waits for slow readers, and tells when there is no reader left. */
export class Output {
  readonly #stream: Writable
  #failure: Error | undefined

  constructor(stream: Writable) {
    this.#stream = stream
    stream.on('error', (error) => this.#failed(error))
  }

  /** @throws {OutputClosed} when the reader is gone; {OutputFailed} */
  async write(chunk: string | Uint8Array): Promise<void> {
    this.#check()
    let isDone = (): void => {}
    const done = new Promise<void>((resolve) => (isDone = resolve))
    const hasRoom = this.#stream.write(chunk, (error) => {
      if (error) this.#failed(error)
      isDone()
    })
    if (hasRoom) return
    await done
    this.#check()
  }

  async line(text: string): Promise<void> {
    await this.write(`${text}\n`)
  }

  async lines(texts: readonly string[]): Promise<void> {
    for (const text of texts) await this.line(text)
  }

  /** Resolves when all has been handed to the operating system. @throws {OutputClosed} {OutputFailed} */
  async flush(): Promise<void> {
    this.#check()
    await new Promise<void>((resolve) => this.#stream.write('', () => resolve()))
    this.#check()
  }

  #failed(error: NodeJS.ErrnoException): void {
    this.#failure ??= error.code === 'EPIPE' ? new OutputClosed('output closed') : new OutputFailed(error)
  }

  #check(): void {
    if (this.#failure !== undefined) throw this.#failure
    if (this.#stream.destroyed) throw new OutputClosed('output closed')
  }
}
