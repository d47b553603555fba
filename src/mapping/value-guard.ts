/** Counts the values of each label, so that one that never repeats does not become a label without end. */
export class ValueGuard {
  readonly #valuesMax: number
  readonly #onFull: (label: string) => void
  readonly #values = new Map<string, Set<string>>()
  readonly #full = new Set<string>()

  /** @param onFull - called once a label, when a value is refused */
  constructor(valuesMax: number, onFull: (label: string) => void) {
    this.#valuesMax = valuesMax
    this.#onFull = onFull
  }

  /** Whether the label may have the value: one it has had, or one of the first `valuesMax`. */
  admits(label: string, value: string): boolean {
    let values = this.#values.get(label)
    if (values === undefined) this.#values.set(label, (values = new Set()))
    if (values.has(value)) return true
    if (values.size < this.#valuesMax) {
      values.add(value)
      return true
    }
    if (!this.#full.has(label)) {
      this.#full.add(label)
      this.#onFull(label)
    }
    return false
  }
}
