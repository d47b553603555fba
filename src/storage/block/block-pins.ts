/** Which blocks of an entry are being read: the data file of a removed block stays until its last reader is done. */
export class BlockPins {
  readonly #pins = new Map<bigint, { count: number; waiting: (() => void)[] }>()

  /** @returns gives the block free; once, later calls do nothing */
  pin(blockId: bigint): () => void {
    const known = this.#pins.get(blockId)
    const pin = known ?? { count: 0, waiting: [] }
    if (known === undefined) this.#pins.set(blockId, pin)
    pin.count += 1
    let isHeld = true
    return () => {
      if (!isHeld) return
      isHeld = false
      pin.count -= 1
      if (pin.count > 0) return
      if (this.#pins.get(blockId) === pin) this.#pins.delete(blockId)
      for (const done of pin.waiting) done()
    }
  }

  isPinned(blockId: bigint): boolean {
    return this.#pins.has(blockId)
  }

  /** Resolves when nobody reads the block. */
  free(blockId: bigint): Promise<void> {
    const pin = this.#pins.get(blockId)
    return pin === undefined ? Promise.resolve() : new Promise((resolve) => pin.waiting.push(resolve))
  }
}
