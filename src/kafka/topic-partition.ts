import type { TopicPartition } from './source.ts'

/** Nothing but what tells it from other partitions: for events, logs and requests. */
export function place({ topic, partition }: TopicPartition): TopicPartition {
  return { topic, partition }
}

/** `orders/0`: no two partitions share it, because topic names hold no slash. */
export function partitionName({ topic, partition }: TopicPartition): string {
  return `${topic}/${partition}`
}

/** By topic, each in its order: requests name a topic once. */
export function byTopic<Item extends Pick<TopicPartition, 'topic'>>(
  items: readonly Item[],
): Map<string, Item[]> {
  const topics = new Map<string, Item[]>()
  for (const item of items) {
    const list = topics.get(item.topic)
    if (list === undefined) topics.set(item.topic, [item])
    else list.push(item)
  }
  return topics
}
