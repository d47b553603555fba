import type { TopicPartition } from './source.ts'

/** Nothing but what tells it from other partitions: for events, logs and requests. */
export function place({ topic, partition }: TopicPartition): TopicPartition {
  return { topic, partition }
}

/** `orders/0`: no two partitions share it, because topic names hold no slash. */
export function partitionName({ topic, partition }: TopicPartition): string {
  return `${topic}/${partition}`
}
