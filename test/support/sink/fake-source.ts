import {
  type AbsentOffsets,
  type AssignedPartition,
  type KafkaSource,
  type RefusedCommit,
  type SourceBatch,
  SourceError,
  type SourceHandler,
  type SourceRecord,
  type StartDecision,
  type TopicPartition,
} from '../../../src/kafka/source.ts'

export const nameOf = ({ topic, partition }: TopicPartition): string => `${topic}/${partition}`

export function record(offset: number, value = `v${offset}`): SourceRecord {
  return {
    offset,
    timestampMs: 1_700_000_000_000 + offset,
    timestampType: 'create',
    key: null,
    value: Buffer.from(value),
    headers: [],
  }
}

interface Log {
  readonly place: TopicPartition
  low: number
  high: number
  /** Offsets that are not delivered. */
  readonly missing: Set<number>
  /** Why they are not; what has no reason is missing. */
  readonly why: Map<number, AbsentOffsets['why']>
  committed: { readonly offset: number; readonly metadata: string } | undefined
  topicId: string | undefined
  /** Leader epochs with the offset that each began at, ascending. */
  epochs: (readonly [epoch: number, offset: number])[]
}

/** A broker and its consumer in one: logs of numbered records, fetched and rebalanced when the test says so. */
export class FakeSource implements KafkaSource {
  readonly clusterId = 'cluster-1'
  readonly commits: { topic: string; partition: number; offset: number; epoch: number }[] = []
  readonly paused = new Set<string>()
  readonly held = new Map<string, string>()
  readonly positions = new Map<string, number>()
  #topics = 0
  readonly #logs = new Map<string, Log>()
  fetchedBytes = 0
  isStopped = false
  isUnreachable = false
  offsetAtTime: (place: TopicPartition, timestampMs: number) => number | undefined = () => undefined
  commitError: Error | undefined
  /** Partitions by name that take no commits. */
  readonly commitless = new Set<string>()
  failure: Error | undefined
  epoch = 0
  #handler: SourceHandler | undefined
  #generation = new AbortController()
  #assigned: readonly TopicPartition[] = []

  start(handler: SourceHandler): Promise<void> {
    this.#handler = handler
    return Promise.resolve()
  }

  get handler(): SourceHandler {
    if (this.#handler === undefined) throw new Error('the source was not started')
    return this.#handler
  }

  log(place: TopicPartition): Log {
    let log = this.#logs.get(nameOf(place))
    if (log === undefined) {
      log = this.#emptyLog(place)
      this.#logs.set(nameOf(place), log)
    }
    return log
  }

  #emptyLog(place: TopicPartition): Log {
    const topicId = `id-${++this.#topics}`
    const committed = this.#logs.get(nameOf(place))?.committed
    return {
      place,
      low: 0,
      high: 0,
      missing: new Set(),
      why: new Map(),
      committed,
      topicId,
      epochs: [[0, 0]],
    }
  }

  /** The topic is deleted and made again; the group keeps what it committed. */
  recreate(place: TopicPartition): void {
    this.#logs.set(nameOf(place), this.#emptyLog(place))
  }

  /** A leader that has less takes over: what is produced next are other records. */
  truncate(place: TopicPartition, end: number): void {
    const log = this.log(place)
    log.high = end
    log.epochs = log.epochs.filter(([, offset]) => offset < end)
    log.epochs.push([(log.epochs.at(-1)?.[0] ?? 0) + 1, end])
  }

  produce(place: TopicPartition, count: number): void {
    this.log(place).high += count
  }

  /** A new generation without a word before it, as after a lost session. */
  async assign(...partitions: TopicPartition[]): Promise<readonly StartDecision[]> {
    this.#generation.abort()
    this.#generation = new AbortController()
    this.epoch += 1
    this.#assigned = partitions
    this.paused.clear()
    const assigned = partitions.map((place): AssignedPartition => {
      const { low, high, committed, topicId } = this.log(place)
      const facts = {
        ...place,
        committedOffset: committed?.offset,
        committedMetadata: committed?.metadata ?? '',
        lowWatermark: low,
        highWatermark: high,
        topicId,
      }
      const read = this.handler.lastRead?.(facts)
      const startTimeMs = this.handler.startTimeMs?.(facts)
      const offsetAtTime = startTimeMs === undefined ? undefined : this.offsetAtTime(place, startTimeMs)
      return {
        ...facts,
        offsetAtTime,
        checked: read && { ...read, endOffset: this.#endOf(place, read.leaderEpoch) },
      }
    })
    const decisions = await this.handler.assigned(assigned, this.epoch)
    this.held.clear()
    this.positions.clear()
    partitions.forEach((place, index) => this.#place(place, decisions[index]!))
    return decisions
  }

  /** As Kafka's leader epoch cache has it. */
  #endOf(place: TopicPartition, epoch: number): number {
    const { epochs, high } = this.log(place)
    if (epochs.at(-1)?.[0] === epoch) return high
    return epochs.find(([later]) => later > epoch)?.[1] ?? -1
  }

  /** A rebalance in good order: the old generation may drain and commit first. */
  async rebalance(deadlineMs: number, ...partitions: TopicPartition[]): Promise<readonly StartDecision[]> {
    await this.handler.revoking(this.epoch, deadlineMs)
    return this.assign(...partitions)
  }

  /** The next `count` offsets of a partition, with what the broker would not deliver left out. */
  nextBatch(place: TopicPartition, count: number, bytes = count * 10): SourceBatch {
    const log = this.log(place)
    const fromOffset = this.positions.get(nameOf(place)) ?? 0
    const later = log.epochs.find(([, offset]) => offset > fromOffset)
    const nextOffset = Math.min(log.high, fromOffset + count, later?.[1] ?? Infinity)
    const leaderEpoch = log.epochs.filter(([, offset]) => offset <= fromOffset).at(-1)?.[0]
    const records: SourceRecord[] = []
    const absent: AbsentOffsets[] = []
    for (let offset = fromOffset; offset < nextOffset; offset++) {
      if (!log.missing.has(offset)) records.push(record(offset))
      else {
        const why = log.why.get(offset) ?? 'missing'
        absent.push({ why, fromOffset: offset, nextOffset: offset + 1 })
      }
    }
    return { ...place, fromOffset, nextOffset, records, absent, bytes, highWatermark: log.high, leaderEpoch }
  }

  /** Fetches up to `count` offsets; resolves when the sink has accepted them. Nothing happens while paused or held. */
  async deliver(place: TopicPartition, count: number, bytes?: number): Promise<void> {
    const name = nameOf(place)
    const position = this.positions.get(name)
    if (position === undefined || this.paused.has(name) || this.held.has(name)) return
    const log = this.log(place)
    const { epoch } = this
    if (position < log.low || position > log.high) {
      this.#place(place, await this.handler.outOfRange(place, position, log.low, log.high))
      return
    }
    const batch = this.nextBatch(place, count, bytes)
    if (batch.nextOffset === batch.fromOffset) return
    const { signal } = this.#generation
    await this.handler.batch(batch, epoch, signal)
    const isSought = this.positions.get(name) !== position
    if (epoch === this.epoch && !signal.aborted && !isSought) this.positions.set(name, batch.nextOffset)
  }

  commit(
    offsets: readonly (TopicPartition & { readonly offset: number; readonly metadata: string })[],
    epoch: number,
  ): Promise<readonly RefusedCommit[]> {
    if (this.commitError !== undefined) return Promise.reject(this.commitError)
    if (epoch !== this.epoch)
      return Promise.reject(new SourceError('ERR_STALE_EPOCH', 'the group has moved on'))
    const refused = offsets.filter((offset) => this.commitless.has(nameOf(offset)))
    for (const { topic, partition, offset, metadata } of offsets) {
      if (this.commitless.has(nameOf({ topic, partition }))) continue
      this.log({ topic, partition }).committed = { offset, metadata }
      this.commits.push({ topic, partition, offset, epoch })
    }
    return Promise.resolve(refused.map(({ topic, partition }) => ({ topic, partition, reason: 'gone' })))
  }

  pause(partitions: readonly TopicPartition[]): void {
    for (const place of partitions) this.paused.add(nameOf(place))
  }

  resume(partitions: readonly TopicPartition[]): void {
    for (const place of partitions) this.paused.delete(nameOf(place))
  }

  seek(place: TopicPartition, offset: number): void {
    this.positions.set(nameOf(place), offset)
    this.held.delete(nameOf(place))
  }

  watermarks(): Promise<readonly (TopicPartition & { readonly low: number; readonly high: number })[]> {
    if (this.isUnreachable) return Promise.reject(new SourceError('ERR_BROKER', 'unreachable'))
    return Promise.resolve(
      this.#assigned.map((place) => {
        const { low, high } = this.log(place)
        return { ...place, low, high }
      }),
    )
  }

  stop(): Promise<void> {
    this.isStopped = true
    this.#generation.abort()
    return Promise.resolve()
  }

  #place(place: TopicPartition, decision: StartDecision): void {
    if (decision.kind === 'hold') this.held.set(nameOf(place), decision.reason)
    else this.positions.set(nameOf(place), decision.offset)
  }
}
