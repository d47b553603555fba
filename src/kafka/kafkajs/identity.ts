import type { Clock } from '../../base/clock.ts'
import type { Logger } from '../../base/logger.ts'
import {
  SourceError,
  type AssignedPartition,
  type CheckedPlace,
  type LogPlace,
  type TopicPartition,
  type UnreadablePartition,
} from '../source.ts'
import { partitionName, place } from '../topic-partition.ts'
import { within } from './broker-facts.ts'
import { isStaleMetadata } from './fetch-protocol.ts'
import {
  LEADER_EPOCH_VERSION,
  lineEndsRequest,
  METADATA_VERSION,
  speaks,
  topicIdentitiesRequest,
  type LineQuestion,
  type TopicIdentity,
} from './identity-protocol.ts'
import { Api, brokerError, errorText, send, type Cluster } from './internals.ts'

export interface IdentityOptions {
  readonly cluster: Pick<Cluster, 'brokerPool' | 'findBroker'>
  readonly leaderOf: (partition: TopicPartition) => number | undefined
  readonly clock: Clock
  readonly logger: Logger
}

/** What is known of partitions, and which ones nobody says enough of to read them. */
export interface KnownPartitions {
  readonly known: readonly AssignedPartition[]
  readonly unreadable: readonly UnreadablePartition[]
}

/**
 * Asks whether partitions still are what they were: which topic of their name, and whether their logs still lead to
 * where we have read. Brokers too old for either question are not asked.
 */
export class Identity {
  private readonly options: IdentityOptions

  constructor(options: IdentityOptions) {
    this.options = options
  }

  /**
   * By name; `undefined` when brokers are older than topic ids. Rejects when no broker answers within `answerMs`.
   *
   * @param nodeId the broker to ask: what it serves it knows at least as well as others do
   */
  async topics(
    names: readonly string[],
    answerMs: number,
    nodeId?: number,
  ): Promise<ReadonlyMap<string, TopicIdentity> | undefined> {
    const { cluster, clock } = this.options
    const ask = async (): Promise<ReadonlyMap<string, TopicIdentity> | undefined> => {
      const broker =
        nodeId === undefined
          ? await cluster.brokerPool.findConnectedBroker()
          : await cluster.findBroker({ nodeId })
      if (!speaks(broker, Api.Metadata, METADATA_VERSION)) return undefined
      const { topics } = await send(broker, topicIdentitiesRequest(names))
      return new Map(topics.map((topic) => [topic.topic, topic]))
    }
    return names.length === 0 ? undefined : within(ask(), answerMs, clock)
  }

  /**
   * Adds topic ids, and what leaders say of `lastRead`. A partition of which that cannot be told now is unreadable.
   * Rejects as `topics` does.
   */
  async add(
    partitions: readonly AssignedPartition[],
    lastRead: (partition: AssignedPartition) => LogPlace | undefined,
    answerMs: number,
  ): Promise<KnownPartitions> {
    const topics = await this.topics([...new Set(partitions.map(({ topic }) => topic))], answerMs)
    const unreadable: UnreadablePartition[] = []
    const identified: AssignedPartition[] = []
    for (const partition of partitions) {
      const identity = topics?.get(partition.topic)
      if (topics === undefined) identified.push(partition)
      else if (identity === undefined || identity.errorCode !== 0) {
        const why = identity === undefined ? 'no answer' : brokerError(identity.errorCode).message
        unreadable.push({ ...place(partition), reason: `what topic this is: ${why}` })
      } else identified.push({ ...partition, topicId: identity.topicId })
    }
    const questions = identified.flatMap((partition): LineQuestion[] => {
      const read = lastRead(partition)
      if (read === undefined) return []
      const currentLeaderEpoch = topics?.get(partition.topic)?.leaderEpochs.get(partition.partition)
      return [{ ...place(partition), place: read, currentLeaderEpoch }]
    })
    const answers = await this.check(questions, answerMs)
    const known: AssignedPartition[] = []
    for (const partition of identified) {
      const answer = answers.get(partitionName(partition))
      if (typeof answer === 'string') unreadable.push({ ...place(partition), reason: answer })
      else known.push(answer === undefined ? partition : { ...partition, checked: answer })
    }
    return { known, unreadable }
  }

  /**
   * What the leader says of a place; `undefined` when it cannot be asked.
   * @throws {SourceError} `ERR_BROKER`: ask again
   */
  async checkOne(
    partition: TopicPartition,
    read: LogPlace,
    answerMs: number,
  ): Promise<CheckedPlace | undefined> {
    const question = { ...place(partition), place: read, currentLeaderEpoch: undefined }
    const answer = (await this.check([question], answerMs)).get(partitionName(partition))
    if (typeof answer === 'string') throw new SourceError('ERR_BROKER', answer)
    return answer
  }

  /** By partition name; a text says why there is no answer now, and no entry that there will be none. Never rejects. */
  private async check(
    questions: readonly LineQuestion[],
    answerMs: number,
  ): Promise<ReadonlyMap<string, CheckedPlace | string>> {
    const { leaderOf, clock } = this.options
    const answers = new Map<string, CheckedPlace | string>()
    const byLeader = new Map<number, LineQuestion[]>()
    for (const question of questions) {
      const leader = leaderOf(question)
      if (leader === undefined || leader < 0) answers.set(partitionName(question), 'no leader')
      else byLeader.set(leader, [...(byLeader.get(leader) ?? []), question])
    }
    await Promise.all(
      [...byLeader].map(async ([nodeId, asked]) => {
        try {
          for (const [name, answer] of await within(this.askLeader(nodeId, asked), answerMs, clock))
            answers.set(name, answer)
        } catch (error) {
          for (const question of asked)
            answers.set(partitionName(question), `broker ${nodeId}: ${errorText(error)}`)
        }
      }),
    )
    return answers
  }

  private async askLeader(
    nodeId: number,
    questions: readonly LineQuestion[],
  ): Promise<ReadonlyMap<string, CheckedPlace | string>> {
    const { cluster, logger } = this.options
    const broker = await cluster.findBroker({ nodeId })
    if (!speaks(broker, Api.OffsetForLeaderEpoch, LEADER_EPOCH_VERSION)) return new Map()
    const { ends } = await send(broker, lineEndsRequest(questions))
    const byName = new Map(ends.map((end) => [partitionName(end), end]))
    const answers = new Map<string, CheckedPlace | string>()
    for (const question of questions) {
      const name = partitionName(question)
      const end = byName.get(name)
      if (end?.errorCode === 0) answers.set(name, { ...question.place, endOffset: end.endOffset })
      else if (end === undefined) answers.set(name, `broker ${nodeId}: no answer about its leader epochs`)
      else if (isStaleMetadata(end.errorCode))
        answers.set(name, `broker ${nodeId}: ${brokerError(end.errorCode).message}`)
      else {
        const facts = { ...place(question), errorCode: end.errorCode }
        logger.warn(facts, 'the broker does not say whether the log was cut: it is read as it is')
      }
    }
    return answers
  }
}
