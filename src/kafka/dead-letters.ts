import type { SourceHeader } from './source.ts'

/** A message for the dead-letter topic. */
export interface DeadLetter {
  readonly key: Uint8Array | null
  readonly value: Uint8Array | null
  /** As on the wire: in order, repeats kept. */
  readonly headers: readonly SourceHeader[]
  /** Milliseconds since the epoch; -1 for none. */
  readonly timestampMs: number
  /** Of the partition it comes from: those of one stay in order. */
  readonly partition: number
}

/** Where messages go that could not be mapped, beside their quarantine. */
export interface DeadLetterTopic {
  readonly topic: string
  /** Reaches a broker and sees that the topic exists. @throws {SourceError} `ERR_BROKER`, `ERR_REFUSED`, `ERR_TOPIC` */
  probe(): Promise<void>
  /**
   * Resolves when all in-sync replicas have every message. Rejected, some may be there: they are sent again.
   * @throws {SourceError} `ERR_BROKER`, with why
   */
  produce(letters: readonly DeadLetter[]): Promise<void>
  /** Idempotent; never rejects. */
  stop(): Promise<void>
}
