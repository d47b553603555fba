import type { LogCompanion } from '../../src/storage/index.ts'

/** How far a submission takes each partition. */
export interface Progress {
  /** Number of the submission, ascending over the whole simulation. */
  readonly submission: number
  /** Next offset of every partition. */
  readonly next: readonly number[]
}

interface Delta {
  readonly submission: number
  readonly moves: readonly (readonly [partition: number, from: number, to: number])[]
}

export function encodeDelta(submission: number, before: Progress, after: readonly number[]): Uint8Array {
  const moves = after.flatMap((to, partition) => {
    const from = before.next[partition] as number
    return from === to ? [] : [[partition, from, to] as const]
  })
  return Buffer.from(JSON.stringify({ submission, moves } satisfies Delta))
}

/** The ledger in small: one next offset a partition; tells when a delta does not fit what it has. */
export class OffsetsCompanion implements LogCompanion {
  #submission = 0
  #next: number[]
  readonly contradictions: string[] = []

  constructor(partitions: number) {
    this.#next = Array.from({ length: partitions }, () => 0)
  }

  get progress(): Progress {
    return { submission: this.#submission, next: this.#next.slice() }
  }

  restore(snapshot: Uint8Array | undefined): void {
    if (snapshot === undefined) return
    const progress = JSON.parse(Buffer.from(snapshot).toString()) as Progress
    this.#submission = progress.submission
    this.#next = [...progress.next]
  }

  apply(delta: Uint8Array): void {
    const { submission, moves } = JSON.parse(Buffer.from(delta).toString()) as Delta
    if (submission <= this.#submission)
      this.contradictions.push(`delta ${submission} after ${this.#submission}`)
    this.#submission = submission
    for (const [partition, from, to] of moves) {
      if (this.#next[partition] !== from)
        this.contradictions.push(
          `delta ${submission}: partition ${partition} is at ${this.#next[partition]}, not ${from}`,
        )
      this.#next[partition] = to
    }
  }

  snapshot(): Uint8Array {
    return Buffer.from(JSON.stringify(this.progress))
  }
}
