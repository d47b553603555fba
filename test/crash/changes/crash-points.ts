import type { Random } from '../../support/random.ts'
import type { OperationCall } from '../../support/simulated-disk.ts'
import { DATA_PATH } from '../store-process.ts'

/** Of steps that lose more than one power cut may show. */
export const FRAGILE = 8

/** Of what is rarely met: content is at home, its frame is durable, and its records are in no WAL yet. */
const HOMELESS = 6

/** Tells from the operations of one process how much likelier than others the next one is crashed before. */
export class Fragility {
  /** Content went home, and perhaps the frame that names it became durable; the WALs do not know. */
  #content: 'none' | 'synced' | 'framed' = 'none'
  #isBehindRemoval = false

  of(call: OperationCall, path: string): number {
    const isBehindRemoval = this.#isBehindRemoval
    this.#isBehindRemoval = call === 'removeDirectory' && !path.startsWith(`${DATA_PATH}/.`)
    const isHomeless = this.#isHomeless(call, path)
    // A directory that was left empty has just been removed.
    if (isBehindRemoval) return FRAGILE
    return Math.max(isHomeless ? HOMELESS : 1, fragility(call, path))
  }

  #isHomeless(call: OperationCall, path: string): boolean {
    const isProjecting = (call === 'create' || call === 'write') && !path.startsWith(`${DATA_PATH}/.`)
    if (this.#content === 'framed' && isProjecting) return true
    if (call === 'sync' && path.endsWith('.blk')) this.#content = 'synced'
    else if (call === 'sync' && path.endsWith('.log') && this.#content === 'synced') this.#content = 'framed'
    else if (call === 'rename' || this.#content === 'framed') this.#content = 'none'
    return false
  }
}

/** Steps that are rarely torn apart. */
function fragility(call: OperationCall, path: string): number {
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
  #max: number
  readonly #chosen: { readonly rank: number; readonly point: T }[] = []

  constructor(random: Random, max: number) {
    this.#random = random
    this.#max = max
  }

  /** From now on at least so many. */
  extend(max: number): void {
    this.#max = Math.max(this.#max, max)
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
