import type { TopicPartition } from '../kafka/source.ts'

/**
 * Why a partition is not read on. `memory` and `hold` are seen in the status only: a batch that waits for memory
 * keeps its broker waiting by itself, and the source does not fetch what is held.
 */
export type PauseReason = 'memory' | 'disk-space' | 'hold' | 'operator'

/** Tells the source: `paused` from now on, `resumed` from now on. */
export type PauseChange = (paused: readonly TopicPartition[], resumed: readonly TopicPartition[]) => void

export const partitionName = ({ topic, partition }: TopicPartition): string => `${topic}/${partition}`

/** Pausing as sets of reasons, one for all partitions and one for each: running again means no reason is left. */
export class PauseReasons {
  readonly #onChange: PauseChange
  readonly #global = new Set<PauseReason>()
  readonly #single = new Map<string, Set<PauseReason>>()
  #assigned = new Map<string, TopicPartition>()
  readonly #told = new Set<string>()
  readonly #waiters = new Set<() => void>()

  constructor(onChange: PauseChange) {
    this.#onChange = onChange
  }

  get globalReasons(): PauseReason[] {
    return [...this.#global]
  }

  reasonsOf(partition: TopicPartition): PauseReason[] {
    return [...new Set([...this.#global, ...(this.#single.get(partitionName(partition)) ?? [])])]
  }

  isPaused(partition: TopicPartition): boolean {
    return this.#global.size > 0 || (this.#single.get(partitionName(partition))?.size ?? 0) > 0
  }

  /** A new generation, in which the source pauses nothing yet. Reasons outlive it. */
  assign(partitions: readonly TopicPartition[]): void {
    this.#assigned = new Map(partitions.map((partition) => [partitionName(partition), partition]))
    this.#told.clear()
    this.#apply()
  }

  /** For all partitions when none is named. */
  add(reason: PauseReason, partition?: TopicPartition): void {
    if (partition === undefined) this.#global.add(reason)
    else {
      const name = partitionName(partition)
      const reasons = this.#single.get(name) ?? new Set()
      this.#single.set(name, reasons.add(reason))
    }
    this.#apply()
  }

  remove(reason: PauseReason, partition?: TopicPartition): void {
    if (partition === undefined) this.#global.delete(reason)
    else {
      const name = partitionName(partition)
      const reasons = this.#single.get(name)
      reasons?.delete(reason)
      if (reasons?.size === 0) this.#single.delete(name)
    }
    this.#apply()
  }

  /** Resolves when the partition is not paused, or at once when `signal` or `cancelWaiting` ends the wait. */
  async flowing(partition: TopicPartition, signal: AbortSignal): Promise<void> {
    let isCancelled = false
    while (this.isPaused(partition) && !signal.aborted && !isCancelled) {
      await new Promise<void>((resolve) => {
        const wake = (cancelled = false): void => {
          isCancelled = cancelled
          this.#waiters.delete(wake)
          signal.removeEventListener('abort', onAbort)
          resolve()
        }
        const onAbort = (): void => wake(true)
        signal.addEventListener('abort', onAbort, { once: true })
        this.#waiters.add(wake)
      })
    }
  }

  cancelWaiting(): void {
    for (const wake of [...this.#waiters] as ((cancelled?: boolean) => void)[]) wake(true)
  }

  #apply(): void {
    const paused: TopicPartition[] = []
    const resumed: TopicPartition[] = []
    for (const [name, partition] of this.#assigned) {
      const shouldPause = this.isPaused(partition)
      if (shouldPause === this.#told.has(name)) continue
      if (shouldPause) {
        this.#told.add(name)
        paused.push(partition)
      } else {
        this.#told.delete(name)
        resumed.push(partition)
      }
    }
    if (paused.length > 0 || resumed.length > 0) this.#onChange(paused, resumed)
    for (const wake of [...this.#waiters]) wake()
  }
}
