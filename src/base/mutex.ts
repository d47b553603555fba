/** Mutual exclusion between asynchronous sections, first come, first served. */
export class Mutex {
  #tail: Promise<unknown> = Promise.resolve()

  /** Runs `section` once all earlier ones have settled; its failure reaches only its own caller. */
  runExclusive<T>(section: () => Promise<T> | T): Promise<T> {
    const result = this.#tail.then(section)
    this.#tail = result.catch(() => {})
    return result
  }
}
