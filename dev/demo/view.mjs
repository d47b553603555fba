/** What a person sees: lines that stay, and on a terminal a block below them that is drawn over. */

const statusEveryMs = 5000

export class View {
  #stream
  #shownLines = 0
  #statusAtMs = -Infinity

  /** @param {NodeJS.WriteStream} stream */
  constructor(stream) {
    this.#stream = stream
    // The view is a courtesy; who closes it does not end the demo.
    stream.on('error', () => {})
  }

  get isTerminal() {
    return this.#stream.isTTY === true
  }

  /** Lines that stay. */
  print(text = '') {
    this.#clear()
    this.#stream.write(`${text}\n`)
  }

  /** The state of things: a block of lines on a terminal, else `status`, one line now and then. */
  show(block, status) {
    if (!this.isTerminal) {
      const nowMs = performance.now()
      if (nowMs - this.#statusAtMs < statusEveryMs) return
      this.#statusAtMs = nowMs
      this.#stream.write(`${status}\n`)
      return
    }
    const width = Math.max(40, this.#stream.columns ?? 80) - 1
    const lines = block
      .slice(0, Math.max(4, (this.#stream.rows ?? 24) - 1))
      .map((line) => (line.length > width ? `${line.slice(0, width - 1)}…` : line))
    this.#clear()
    this.#stream.write(lines.map((line) => `${line}\n`).join(''))
    this.#shownLines = lines.length
  }

  /** Leaves what is shown where it is. */
  keep() {
    this.#shownLines = 0
  }

  #clear() {
    if (this.#shownLines > 0) this.#stream.write(`\u001b[${this.#shownLines}A\u001b[0J`)
    this.#shownLines = 0
  }
}

/** Lines of a table; the first column to the left, the others to the right. */
export function table(rows) {
  const widths = rows[0].map((_, column) => Math.max(...rows.map((row) => row[column].length)))
  return rows.map((row) =>
    row
      .map((cell, column) => (column === 0 ? cell.padEnd(widths[column]) : cell.padStart(widths[column])))
      .join('  '),
  )
}

export function count(number) {
  return Math.round(number).toLocaleString('en-US')
}

export function bytes(number) {
  if (number < 1e3) return `${number} B`
  if (number < 1e6) return `${(number / 1e3).toFixed(0)} kB`
  return number < 1e9 ? `${(number / 1e6).toFixed(1)} MB` : `${(number / 1e9).toFixed(2)} GB`
}

export function duration(seconds) {
  return `${Math.floor(seconds / 60)}:${String(Math.floor(seconds % 60)).padStart(2, '0')}`
}
