import type { Writable } from 'node:stream'

/** One line that is written over itself on a terminal, and nothing anywhere else. */
export class ProgressLine {
  readonly #stream: Writable & { readonly isTTY?: boolean; readonly columns?: number }
  #shown = false

  constructor(stream: Writable & { readonly isTTY?: boolean; readonly columns?: number }) {
    this.#stream = stream
    // Progress is a courtesy: who closes standard error does not want it.
    if (this.isShown) stream.on('error', () => {})
  }

  get isShown(): boolean {
    return this.#stream.isTTY === true && !this.#stream.destroyed
  }

  show(text: string): void {
    if (!this.isShown) return
    const width = Math.max(20, (this.#stream.columns || 80) - 1)
    this.#stream.write(`\r\u001b[2K${text.length > width ? `${text.slice(0, width - 1)}…` : text}`)
    this.#shown = true
  }

  clear(): void {
    if (!this.#shown) return
    this.#stream.write('\r\u001b[2K')
    this.#shown = false
  }
}
