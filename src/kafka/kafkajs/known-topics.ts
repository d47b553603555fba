import type { Logger } from '../../base/logger.ts'
import { SourceError, type AssignedPartition, type TopicPartition } from '../source.ts'
import type { Identity } from './identity.ts'
import { errorText } from './internals.ts'

/** A broker that has not told what topics are by then is asked again. */
const IDENTITY_MS = 3_000

export interface KnownTopicsOptions {
  readonly identity: Pick<Identity, 'topics'>
  readonly leaderOf: (partition: TopicPartition) => number | undefined
  /** Partitions of the present epoch. */
  readonly assigned: () => readonly TopicPartition[]
  /** Asks for a new epoch, in which all topics are looked at again. */
  readonly again: () => void
  readonly logger: Logger
}

/** Whether the topics that are read still are those that were assigned: one can be deleted and made again. */
export class KnownTopics {
  private readonly options: KnownTopicsOptions
  /** Topic ids that the present epoch was told, by name. */
  private readonly ids = new Map<string, string>()
  private readonly asking = new Map<string, ReturnType<Identity['topics']>>()

  constructor(options: KnownTopicsOptions) {
    this.options = options
  }

  /** What they are when they are assigned. */
  told(partitions: readonly AssignedPartition[]): void {
    for (const { topic, topicId } of partitions) {
      if (topicId === undefined) this.ids.delete(topic)
      else this.ids.set(topic, topicId)
    }
  }

  /** @throws {SourceError} `ERR_BROKER` where the topic is not, or is another one now: then a new epoch begins */
  async confirm(partition: TopicPartition): Promise<void> {
    const { leaderOf, again } = this.options
    const { topic: name } = partition
    const leader = leaderOf(partition)
    if (leader === undefined || leader < 0) throw new SourceError('ERR_BROKER', `${name} has no leader`)
    const topics = await this.ask(name, leader)
    if (topics === undefined) return
    const topic = topics.get(name)
    if (topic?.errorCode !== 0) throw new SourceError('ERR_BROKER', `topic ${name} is not known`)
    if (!this.isOther(name, topic.topicId)) return
    again()
    throw new SourceError('ERR_BROKER', `topic ${name} was deleted and made again`)
  }

  /** A topic can be deleted and made again between two looks at it. Never rejects. */
  async lookForOthers(): Promise<void> {
    const { identity, assigned, again, logger } = this.options
    const names = [...new Set(assigned().map(({ topic }) => topic))]
    try {
      const topics = await identity.topics(names, IDENTITY_MS)
      const other = names.find((name) => this.isOther(name, topics?.get(name)?.topicId))
      if (other === undefined) return
      logger.warn({ topic: other }, 'a topic was deleted and made again')
      again()
    } catch (error) {
      logger.warn({ error: errorText(error) }, 'topic ids could not be asked')
    }
  }

  /** All partitions of a topic that ask a broker at the same time share one answer. */
  private ask(name: string, nodeId: number): ReturnType<Identity['topics']> {
    const key = `${nodeId}/${name}`
    let asked = this.asking.get(key)
    if (asked === undefined) {
      asked = this.options.identity
        .topics([name], IDENTITY_MS, nodeId)
        .catch((error: unknown) => {
          const why = `topic ${name} could not be asked for: ${errorText(error)}`
          throw new SourceError('ERR_BROKER', why, error)
        })
        .finally(() => this.asking.delete(key))
      this.asking.set(key, asked)
    }
    return asked
  }

  private isOther(name: string, topicId: string | undefined): boolean {
    const known = this.ids.get(name)
    return known !== undefined && topicId !== undefined && topicId !== known
  }
}
