/** A message as a test gave it to Kafka. */
export interface FedMessage {
  readonly timestampMs: number
  readonly key: Buffer | null
  readonly value: Buffer | null
  readonly headers: readonly (readonly [name: string, value: Buffer | null])[]
}

/** What Kafka has acknowledged, by topic, partition and offset: what must be stored. */
export class FedMessages {
  readonly #messages = new Map<string, FedMessage>()

  add(topic: string, partition: number, baseOffset: number, messages: readonly FedMessage[]): void {
    messages.forEach((message, index) => {
      const id = identity(topic, partition, baseOffset + index)
      if (this.#messages.has(id)) throw new Error(`${id} was acknowledged twice`)
      this.#messages.set(id, message)
    })
  }

  get size(): number {
    return this.#messages.size
  }

  get(id: string): FedMessage | undefined {
    return this.#messages.get(id)
  }

  ids(): string[] {
    return [...this.#messages.keys()]
  }
}

export function identity(topic: string, partition: number, offset: number): string {
  return `${topic}/${partition}@${offset}`
}
