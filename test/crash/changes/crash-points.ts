import type { Random } from '../../support/random.ts'
import type { OperationCall } from '../../support/simulated-disk.ts'

/** Of steps that lose more than one power cut may show. */
export const FRAGILE = 8

/**
 * How much likelier than another an operation is crashed before: steps that are rarely torn apart.
 * @param isBehindRemoval a directory that was left empty has just been removed
 */
export function fragility(call: OperationCall, path: string, isBehindRemoval: boolean): number {
  if (isBehindRemoval) return FRAGILE
  if (call === 'rename' && !path.endsWith('.tmp')) return FRAGILE
  if (call === 'unlink' && path.endsWith('.meta')) return FRAGILE
  if (call === 'unlink' || call === 'removeDirectory') return 3
  if (call === 'syncDirectory') return 2
  if (call === 'write' && path.endsWith('/blocks.idx')) return 3
  if (call === 'sync' && path.endsWith('.log')) return 3
  if (call === 'rename' && /\.(idx|wal|meta)\.tmp$/.test(path)) return 3
  return 1
}

/** Draws some of the operations of a command, each as likely as its weight says, however many there are. */
export class CrashPoints<T> {
  readonly #random: Random
  readonly #max: number
  readonly #chosen: { readonly rank: number; readonly point: T }[] = []

  constructor(random: Random, max: number) {
    this.#random = random
    this.#max = max
  }

  offer(weight: number, point: () => T): void {
    if (this.#max === 0) return
    const rank = -Math.log(1 - this.#random.next()) / weight
    const last = this.#chosen.at(-1)
    if (last !== undefined && this.#chosen.length === this.#max) {
      if (rank >= last.rank) return
      this.#chosen.pop()
    }
    this.#chosen.push({ rank, point: point() })
    this.#chosen.sort((a, b) => a.rank - b.rank)
  }

  get points(): readonly T[] {
    return this.#chosen.map(({ point }) => point)
  }
}
