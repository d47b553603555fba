/** A number that is cheap to add to; `flush` hands the sum since the last flush on. */
export class Tally {
  readonly #handOn: (sum: number) => void
  #sum = 0

  constructor(handOn: (sum: number) => void) {
    this.#handOn = handOn
  }

  add(amount: number): void {
    this.#sum += amount
  }

  flush(): void {
    if (this.#sum === 0) return
    this.#handOn(this.#sum)
    this.#sum = 0
  }
}
