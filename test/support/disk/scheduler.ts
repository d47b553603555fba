import type { Random } from '../random.ts'

/** Work of one process that is done in steps: each `next()` is one atomic step. */
export interface Job {
  readonly steps: { next(): IteratorResult<void> }
  readonly settle: { resolve(value: unknown): void; reject(error: unknown): void }
  /** Seldom chosen while others are runnable, so that slow calls are overtaken often. */
  readonly slow: boolean
  /** Set when its process died: it takes no further step. */
  dropped: boolean
}

/** A queue whose jobs run one after the other, or `undefined` for work that waits for nothing. */
export type Lane = Job[]

/** Reactions of a promise: the cheapest microtasks. */
const settled = Promise.resolve()
const pass = (): void => undefined

/**
 * Runs one step of one seeded-randomly chosen job a turn. Turns are microtasks, now and then a macrotask, so that
 * whoever awaits a job sees both hasty and patient disks.
 */
export class Scheduler {
  readonly #random: Random
  #runnable: { job: Job; lane: Lane | undefined }[] = []
  #scheduled = false

  constructor(random: Random) {
    this.#random = random
  }

  add(job: Job, lane: Lane | undefined): void {
    if (lane !== undefined && lane.push(job) > 1) return
    this.#runnable.push({ job, lane })
    this.#schedule()
  }

  /** Forgets jobs; they never run again and are not settled here. */
  drop(jobs: ReadonlySet<Job>): void {
    for (const job of jobs) job.dropped = true
    this.#runnable = this.#runnable.filter(({ job }) => !job.dropped)
  }

  #schedule(): void {
    if (this.#scheduled || this.#runnable.length === 0) return
    this.#scheduled = true
    const turn = () => {
      this.#scheduled = false
      this.#step()
      this.#schedule()
    }
    const style = this.#random.below(16)
    if (style === 0) setImmediate(turn)
    else if (style < 6) void settled.then(pass).then(pass).then(turn)
    else void settled.then(turn)
  }

  #choose(): number {
    const index = this.#random.below(this.#runnable.length)
    if (this.#runnable[index]?.job.slow && this.#random.chance(0.9))
      return this.#random.below(this.#runnable.length)
    return index
  }

  #step(): void {
    if (this.#runnable.length === 0) return
    const chosen = this.#runnable[this.#choose()] as { job: Job; lane: Lane | undefined }
    const { job, lane } = chosen
    try {
      const result = job.steps.next()
      if (result.done !== true) return
      this.#finish(chosen)
      job.settle.resolve(result.value)
    } catch (error) {
      this.#finish(chosen)
      job.settle.reject(error)
    }
    if (lane?.[0] === job) {
      lane.shift()
      const next = lane[0]
      if (next !== undefined && !next.dropped) this.#runnable.push({ job: next, lane })
    }
  }

  #finish(done: object): void {
    const index = this.#runnable.indexOf(done as { job: Job; lane: Lane | undefined })
    if (index !== -1) this.#runnable.splice(index, 1)
  }
}
