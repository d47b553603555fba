export interface LruOptions<K, V> {
  readonly bytesMax: number
  /** Bytes that an item counts for, asked once per `set`. */
  readonly weigh: (value: V, key: K) => number
  /** Called for items that give way, not for those replaced. */
  readonly onEvict?: (key: K, value: V) => void
}

/** A map with a budget in bytes; the least recently used items give way. */
export class Lru<K, V> {
  readonly #options: LruOptions<K, V>
  readonly #items = new Map<K, { value: V; bytes: number }>()
  #bytes = 0

  constructor(options: LruOptions<K, V>) {
    this.#options = options
  }

  get bytes(): number {
    return this.#bytes
  }

  get size(): number {
    return this.#items.size
  }

  /** Counts as a use. */
  get(key: K): V | undefined {
    const item = this.#items.get(key)
    if (item === undefined) return undefined
    this.#items.delete(key)
    this.#items.set(key, item)
    return item.value
  }

  /**
   * Inserts, replaces or weighs again; counts as a use. Others give way until the budget holds; the item itself
   * stays even when it is larger than the whole budget.
   */
  set(key: K, value: V): void {
    this.#delete(key)
    const bytes = this.#options.weigh(value, key)
    this.#items.set(key, { value, bytes })
    this.#bytes += bytes
    this.#makeRoom(key)
  }

  #delete(key: K): void {
    this.#bytes -= this.#items.get(key)?.bytes ?? 0
    this.#items.delete(key)
  }

  #makeRoom(keep: K): void {
    while (this.#bytes > this.#options.bytesMax && this.#items.size > 1) {
      const [oldest] = this.#items as Iterable<[K, { value: V; bytes: number }]>
      if (oldest === undefined || oldest[0] === keep) return
      this.#delete(oldest[0])
      this.#options.onEvict?.(oldest[0], oldest[1].value)
    }
  }
}
