import { StorageError } from '../../../src/storage/index.ts'
import { SimulationFailure } from '../store-process.ts'
import { Allowed, Change, type Eviction, type State } from './model.ts'

/** What a running store holds by what it has acknowledged, and what is under way. */
export class Expectation {
  readonly state: State
  readonly #pending = new Set<Change>()
  readonly #evictions: Eviction[] = []
  /** All that there were. */
  evictionsCount = 0

  constructor(state: State) {
    this.state = state
  }

  /**
   * Carries a change out, or several that become durable in this order. @param isRefusal whether the store may say no with
   * this error @returns whether it was done
   */
  async attempt(
    change: Change | readonly Change[],
    work: () => Promise<unknown>,
    isRefusal: (error: StorageError) => boolean = () => false,
  ): Promise<boolean> {
    const changes = change instanceof Change ? [change] : change
    for (const one of changes) this.#pending.add(one)
    let isDone = true
    try {
      await work()
    } catch (error) {
      if (!(error instanceof StorageError) || !isRefusal(error)) throw error
      isDone = false
    }
    for (const one of changes) {
      if (!isDone) one.isRefused = true
      this.#pending.delete(one)
      if (!one.isRefused) one.apply(this.state)
    }
    return isDone
  }

  evicted(eviction: Eviction): void {
    this.evictionsCount += 1
    this.#evictions.push(eviction)
  }

  get evictionsPending(): number {
    return this.#evictions.length
  }

  /** So many of the evictions are durable by now. */
  evictionsDone(count: number): void {
    for (const { ids } of this.#evictions.splice(0, count))
      for (const id of ids) this.state.records.delete(id)
  }

  /** As of now; what becomes of the changes under way is asked when it is compared. */
  allowed(): Allowed {
    return new Allowed(this.state.copy(), [...this.#pending], [[...this.#evictions]])
  }

  /** @throws {SimulationFailure} */
  require(who: string, shown: State): void {
    const contradiction = this.allowed().contradicts(shown)
    if (contradiction !== undefined) throw new SimulationFailure(`${who} ${contradiction}`)
  }

  /** After a clean stop: what stock finds is all there is. @throws {SimulationFailure} */
  requireOfStock(shown: State): void {
    for (const [name, settings] of this.state.buckets) shown.buckets.set(name, settings)
    this.require('stock, after a clean stop,', shown)
  }
}
