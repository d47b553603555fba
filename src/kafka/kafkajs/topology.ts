import type { Clock } from '../../base/clock.ts'
import type { Logger } from '../../base/logger.ts'
import type { TopicPartition } from '../source.ts'
import { errorText, type Cluster, type ConsumerGroup, type Metadata } from './internals.ts'

const RETRY_MS = 250
const RETRY_MAX_MS = 5_000
/** A topic that only a pattern means and that has been missing this often in a row, for half a minute, is gone. */
const LOOKS_FOR_GONE = 10

export interface TopologyOptions {
  readonly cluster: Cluster
  readonly patterns: readonly (string | RegExp)[]
  readonly maxAgeMs: number
  readonly clock: Clock
  readonly logger: Logger
  /** A topic that was gone is there again: it may be another one. Called before anybody is told of a leader of it. */
  readonly cameBack: () => void
  /** The brokers have just answered. */
  readonly refreshed: () => void
}

/**
 * What is known of topics, partitions and their leaders, refreshed behind the fetch loops: they never wait for it,
 * and a refresh that fails leaves what was known.
 */
export class Topology {
  /** The topics of our subscription. Grows when a new topic matches. */
  readonly topics = new Set<string>()
  private readonly options: TopologyOptions
  private dueMs: number
  private failures = 0
  /** How often in a row something was missing in what was refreshed. */
  private incomplete = 0
  private isRefreshing = false
  private seen: Metadata | undefined
  private leaders = new Map<string, Map<number, number>>()
  private readonly missing = new Set<string>()

  constructor(options: TopologyOptions) {
    this.options = options
    this.dueMs = options.clock.monotonicMs() + options.maxAgeMs
  }

  leaderOf({ topic, partition }: TopicPartition): number | undefined {
    this.look()
    return this.leaders.get(topic)?.get(partition)
  }

  /** What we know may be wrong. */
  refreshSoon(): void {
    this.refreshWithin(retryMs(this.failures))
  }

  /** Cheap when nothing is due; never rejects. */
  refreshIfDue(): void {
    if (this.isRefreshing || this.options.clock.monotonicMs() < this.dueMs) return
    void this.refresh()
  }

  /** Whether the group should be joined anew: topics or partitions have come that it does not know of. */
  hasGrown(group: ConsumerGroup): boolean {
    this.look()
    const known = group.partitionsPerSubscribedTopic
    for (const topic of this.topics) {
      const partitions = this.leaders.get(topic)
      if (partitions === undefined) continue
      if (partitions.size > (known.get(topic)?.length ?? 0)) return true
    }
    return false
  }

  /** The topics among `metadata` that the subscription means. */
  matching(metadata: Metadata): string[] {
    return metadata.topicMetadata
      .filter(
        ({ topic, isInternal, topicErrorCode }) => topicErrorCode === 0 && !isInternal && this.means(topic),
      )
      .map(({ topic }) => topic)
  }

  /** Before a join: topics that only a pattern means are not subscribed to for ever after they have gone. */
  forgetGone(): void {
    if (this.incomplete < LOOKS_FOR_GONE) return
    for (const topic of this.missing) {
      if (this.isNamed(topic)) continue
      this.missing.delete(topic)
      this.topics.delete(topic)
      this.options.cluster.targetTopics.delete(topic)
    }
  }

  private isNamed(topic: string): boolean {
    return this.options.patterns.includes(topic)
  }

  private means(topic: string): boolean {
    return this.options.patterns.some((pattern) =>
      typeof pattern === 'string' ? pattern === topic : new RegExp(pattern.source, pattern.flags).test(topic),
    )
  }

  private async refresh(): Promise<void> {
    const { cluster, clock, maxAgeMs, logger, patterns } = this.options
    this.isRefreshing = true
    try {
      if (patterns.some((pattern) => pattern instanceof RegExp)) {
        const broker = await cluster.brokerPool.findConnectedBroker()
        for (const topic of this.matching(await broker.metadata([]))) {
          if (this.topics.has(topic)) continue
          logger.info({ topic }, 'a new topic matches')
          this.topics.add(topic)
          cluster.targetTopics.add(topic)
        }
      }
      await cluster.refreshMetadata()
      this.failures = 0
      this.dueMs = clock.monotonicMs() + maxAgeMs
      this.look()
      this.options.refreshed()
    } catch (error) {
      this.failures++
      this.dueMs = clock.monotonicMs() + retryMs(this.failures)
      logger.warn({ error: errorText(error) }, 'cluster metadata could not be refreshed')
    } finally {
      this.isRefreshing = false
    }
  }

  /** Takes over what kafkajs holds, which changes underneath us. */
  private look(): void {
    const metadata = this.options.cluster.brokerPool.metadata
    if (metadata === null || metadata === this.seen) return
    this.seen = metadata
    this.leaders = new Map(
      metadata.topicMetadata.map(({ topic, partitionMetadata }) => [
        topic,
        new Map(partitionMetadata.map(({ partitionId, leader }) => [partitionId, leader])),
      ]),
    )
    for (const topic of this.topics) {
      if (this.leaders.has(topic)) {
        if (this.missing.delete(topic)) {
          this.options.logger.warn({ topic }, 'a topic that was gone is back')
          this.options.cameBack()
        }
      } else if (!this.missing.has(topic)) {
        this.missing.add(topic)
        this.options.logger.error({ topic }, 'a topic of the subscription has gone')
      }
    }
    const leaderless = metadata.topicMetadata.some(({ partitionMetadata }) =>
      partitionMetadata.some(({ leader }) => leader < 0),
    )
    const isMissed = leaderless || [...this.missing].some((topic) => this.isNamed(topic))
    if (!leaderless && this.missing.size === 0) this.incomplete = 0
    else if (isMissed || this.incomplete < LOOKS_FOR_GONE) this.refreshWithin(retryMs(this.incomplete++))
  }

  private refreshWithin(durationMs: number): void {
    this.dueMs = Math.min(this.dueMs, this.options.clock.monotonicMs() + durationMs)
  }
}

function retryMs(failures: number): number {
  return Math.min(RETRY_MS * 2 ** failures, RETRY_MAX_MS)
}
