import type { Clock } from '../../base/clock.ts'
import type { Logger } from '../../base/logger.ts'
import { SourceError, type AbsentOffsets } from '../source.ts'
import { errorText, errorType, type Broker, type Cluster } from './internals.ts'

const TOPIC_RESOURCE = 2
const NAME = 'cleanup.policy'
const MAX_AGE_MS = 60_000

/** Tells what compaction took out of a log from what nothing explains, by the topic's present `cleanup.policy`. */
export class CleanupPolicies {
  private readonly cluster: Pick<Cluster, 'brokerPool'>
  private readonly clock: Clock
  private readonly logger: Logger
  private readonly known = new Map<string, { readonly isCompacted: boolean; readonly untilMs: number }>()
  private readonly refused = new Set<string>()

  constructor(cluster: Pick<Cluster, 'brokerPool'>, clock: Clock, logger: Logger) {
    this.cluster = cluster
    this.clock = clock
    this.logger = logger
  }

  /**
   * `absent` with what is missing called compacted where the topic is. Where we may not ask it stays missing.
   * @throws {SourceError} `ERR_BROKER`: ask again
   */
  async explain(topic: string, absent: readonly AbsentOffsets[]): Promise<readonly AbsentOffsets[]> {
    if (!absent.some(({ why }) => why === 'missing') || !(await this.isCompacted(topic))) return absent
    return absent.map((range) => (range.why === 'missing' ? { ...range, why: 'compacted' } : range))
  }

  private async isCompacted(topic: string): Promise<boolean> {
    const nowMs = this.clock.monotonicMs()
    const known = this.known.get(topic)
    if (known !== undefined && known.untilMs > nowMs) return known.isCompacted
    const isCompacted = await this.ask(topic)
    this.known.set(topic, { isCompacted, untilMs: nowMs + MAX_AGE_MS })
    return isCompacted
  }

  private async ask(topic: string): Promise<boolean> {
    try {
      const broker: Broker = await this.cluster.brokerPool.findConnectedBroker()
      const resource = { type: TOPIC_RESOURCE, name: topic, configNames: [NAME] }
      const { resources } = await broker.describeConfigs({ resources: [resource] })
      const entry = resources[0]?.configEntries.find(({ configName }) => configName === NAME)
      this.refused.delete(topic)
      return entry?.configValue?.split(',').some((policy) => policy.trim() === 'compact') ?? false
    } catch (error) {
      if (!errorType(error).endsWith('AUTHORIZATION_FAILED')) {
        const why = `the cleanup policy of ${topic} could not be asked: ${errorText(error)}`
        throw new SourceError('ERR_BROKER', why, error)
      }
      if (!this.refused.has(topic)) {
        this.refused.add(topic)
        const advice = 'allow DescribeConfigs on it, so that compaction can be told from loss'
        this.logger.warn(
          { topic },
          `offsets are missing in a topic whose cleanup policy we may not ask: ${advice}`,
        )
      }
      return false
    }
  }
}
