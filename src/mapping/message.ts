/** What the mapping needs of a Kafka record. Byte arrays are only read, and `value` becomes the content as it is. */
export interface KafkaMessage {
  readonly offset: number
  /** Milliseconds since the epoch; -1 when the producer gave none. */
  readonly timestampMs: number
  readonly key: Uint8Array | null
  /** `null` is a tombstone, empty is empty. */
  readonly value: Uint8Array | null
  /** In order, repeats kept. */
  readonly headers: readonly MessageHeader[]
}

export interface MessageHeader {
  readonly name: Uint8Array
  readonly value: Uint8Array | null
}
