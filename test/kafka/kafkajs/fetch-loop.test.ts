import { expect, test } from '@jest/globals'
import { getMaxListeners } from 'node:events'
import { gzipSync } from 'node:zlib'

import { silentLogger } from '../../../src/base/logger.ts'
import { heldBytes } from '../../../src/kafka/held-bytes.ts'
import { FetchLoop } from '../../../src/kafka/kafkajs/fetch-loop.ts'
import type { FetchedPartition } from '../../../src/kafka/kafkajs/fetch-protocol.ts'
import type { Cluster, ProtocolRequest } from '../../../src/kafka/kafkajs/internals.ts'
import { responseMemory } from '../../../src/kafka/kafkajs/response-memory.ts'
import { encodeBatch } from '../../support/record-batches.ts'
import { realClock } from '../../support/real-clock.ts'
import { SourceError, type LogPlace, type StartDecision } from '../../../src/kafka/source.ts'
import { RecordingHandler } from '../../support/recording-handler.ts'

const RECORDS_PER_BATCH = 3
const DECOMPRESSED_BYTES_MAX = 1 << 20

/** A broker whose logs are made of batches of three records; it answers with one batch a partition. */
class FakeBroker {
  readonly damagedAt = new Map<number, number>()
  /** Offsets whose batches are compressed and become more than is allowed. */
  readonly hugeAt = new Map<number, number>()
  readonly asked: number[][] = []
  logEnd = 30
  /** What the records of its answers are said to lie in. */
  memory: ArrayBufferLike = new ArrayBuffer(0)
  /** The leader epoch of the batch at an offset: that of the last entry at or below it. */
  readonly epochStarts = new Map([[0, 3]])
  /** What it answers a fetch with in place of records. */
  errorCode = 0
  readonly versions = { 1: { minVersion: 4, maxVersion: 17 } }
  readonly connectionPool = { send: (request: ProtocolRequest) => this.answer(request) }
  readonly cluster = { findBroker: () => Promise.resolve(this) } as unknown as Cluster

  private async answer(request: ProtocolRequest): Promise<unknown> {
    const { buffer } = (await request.request.encode()) as { buffer: Buffer }
    const partitions: FetchedPartition[] = []
    const asked: number[] = []
    // The only topic is `t`: its name ends at 32, its partition count at 36.
    const count = buffer.readInt32BE(32)
    for (let index = 0; index < count; index++) {
      const at = 36 + index * 28
      const partition = buffer.readInt32BE(at)
      const position = Number(buffer.readBigInt64BE(at + 8))
      asked.push(partition)
      partitions.push({
        topic: 't',
        partition,
        errorCode: this.errorCode,
        highWatermark: this.logEnd,
        lastStableOffset: this.logEnd,
        aborted: [],
        recordSet:
          this.errorCode === 0 && position < this.logEnd ? this.batch(partition, position) : Buffer.alloc(0),
      })
    }
    this.asked.push(asked)
    await realClock.sleep(1)
    return { memory: this.memory, clientSideThrottleTime: 0, errorCode: 0, partitions }
  }

  private batch(partition: number, position: number): Buffer {
    const baseOffset = position - (position % RECORDS_PER_BATCH)
    const isHuge = this.hugeAt.get(partition) === baseOffset
    const batch = encodeBatch({
      ...(isHuge && { codec: 1, compress: () => gzipSync(Buffer.alloc(DECOMPRESSED_BYTES_MAX + 1)) }),
      baseOffset: BigInt(baseOffset),
      leaderEpoch: [...this.epochStarts].filter(([start]) => start <= baseOffset).at(-1)![1],
      records: [0, 1, 2].map((offsetDelta) => ({ offsetDelta, value: Buffer.from('v') })),
    })
    if (this.damagedAt.get(partition) === baseOffset) batch[batch.length - 1]! ^= 1
    return batch
  }
}

interface Rig {
  readonly broker: FakeBroker
  readonly handler: RecordingHandler
  readonly loop: FetchLoop
  readonly failures: unknown[]
  /** Places that were asked for, and what the leader says of them: by default that its log leads there. */
  readonly checks: LogPlace[]
  readonly answers: { check: (place: LogPlace) => number | undefined; confirm: () => Promise<void> }
  /** Fetches until `condition` holds. */
  readonly run: (condition: () => boolean) => Promise<void>
}

function rig(partitionCount: number, maxBytes = 1 << 20, random = () => 0): Rig {
  const broker = new FakeBroker()
  const handler = new RecordingHandler()
  const failures: unknown[] = []
  const checks: LogPlace[] = []
  const answers: Rig['answers'] = { check: ({ offset }) => offset, confirm: () => Promise.resolve() }
  const loop = new FetchLoop({
    handler,
    limits: {
      maxWaitMs: 5,
      maxBytes,
      maxBytesPerPartition: 1 << 20,
      decompressedBytesMax: DECOMPRESSED_BYTES_MAX,
    },
    clock: realClock,
    logger: silentLogger,
    random,
    leaderOf: () => 1,
    refreshMetadata: () => {},
    edges: () => Promise.resolve({ low: 0, high: broker.logEnd }),
    check: (_, place) => {
      checks.push(place)
      const endOffset = answers.check(place)
      return Promise.resolve(endOffset === undefined ? undefined : { ...place, endOffset })
    },
    confirmTopic: () => answers.confirm(),
    explain: (_topic, absent) => Promise.resolve(absent),
    failed: (error) => failures.push(error),
  })
  const partitions = Array.from({ length: partitionCount }, (_, partition) => ({ topic: 't', partition }))
  loop.open(1, partitions)
  loop.begin(
    1,
    partitions,
    partitions.map(() => ({ kind: 'start', offset: 0 })),
  )
  const run = async (condition: () => boolean): Promise<void> => {
    const deadlineMs = realClock.monotonicMs() + 10_000
    while (!condition()) {
      if (realClock.monotonicMs() > deadlineMs) throw new Error('the loop has stalled')
      await loop.fetchFrom(broker.cluster, '1')
    }
  }
  return { broker, handler, loop, failures, checks, answers, run }
}

const upTo = (end: number, from = 0): number[] =>
  Array.from({ length: end - from }, (_, index) => from + index)

test('partitions are asked for in an order of chance at first: after a restart others come first', async () => {
  const numbers = [0.7, 0.1, 0.9, 0.4]
  const { broker, run } = rig(4, 1 << 20, () => numbers.shift()!)
  await run(() => broker.asked.length > 0)
  expect(broker.asked[0]).toEqual([1, 3, 0, 2])
})

test('a damaged batch is fetched again, then holds its partition by name; the others go on', async () => {
  const { broker, handler, run } = rig(2)
  broker.damagedAt.set(0, 6)
  await run(() => handler.damages.length > 0 && handler.offsets('t', 1).length === 30)
  expect(handler.offsets('t', 0)).toEqual(upTo(6))
  expect(handler.offsets('t', 1)).toEqual(upTo(30))
  expect(handler.damages).toMatchObject([{ offset: 6, error: { code: 'ERR_BATCH' } }])
  expect(broker.asked.filter((partitions) => partitions.includes(0)).length).toBe(2 + 3)
})

test('a batch that becomes too large is sound: it is not fetched again, and says what it needs', async () => {
  const { broker, handler, run } = rig(2)
  broker.hugeAt.set(0, 6)
  await run(() => handler.damages.length > 0 && handler.offsets('t', 1).length === 30)
  expect(handler.offsets('t', 0)).toEqual(upTo(6))
  const batch = { nextOffset: 9, decompressedBytes: DECOMPRESSED_BYTES_MAX + 1 }
  expect(handler.damages).toMatchObject([{ offset: 6, error: { code: 'ERR_BATCH' }, batch }])
  expect(broker.asked.filter((partitions) => partitions.includes(0)).length).toBe(2 + 1)
})

test('a partition that was held goes on from where it is sought', async () => {
  const { broker, handler, loop, run } = rig(1)
  broker.damagedAt.set(0, 6)
  await run(() => handler.damages.length > 0)
  const askedBefore = broker.asked.length
  await loop.fetchFrom(broker.cluster, '1')
  expect(broker.asked.length).toBe(askedBefore)

  broker.damagedAt.clear()
  loop.seek({ topic: 't', partition: 0 }, 3)
  await run(() => handler.offsets('t').length === 6 + 27)
  expect(handler.offsets('t')).toEqual([...upTo(6), ...upTo(30, 3)])
})

test('what is decided of a place after it was left by a seek does not count', async () => {
  const { broker, handler, loop, run } = rig(1)
  broker.damagedAt.set(0, 6)
  let decide = (_: StartDecision): void => {}
  let isAsked = false
  handler.undecodable = () => {
    isAsked = true
    return new Promise((resolve) => (decide = resolve))
  }
  await run(() => isAsked)
  broker.damagedAt.clear()
  loop.seek({ topic: 't', partition: 0 }, 3)
  await run(() => handler.offsets('t').length === 6 + 3)
  decide({ kind: 'start', offset: 24 })
  await run(() => handler.offsets('t').length >= 6 + 27)
  expect(handler.offsets('t')).toEqual([...upTo(6), ...upTo(30, 3)])
})

test('where it is to begin is not where it was before it was sought', async () => {
  const { broker, handler, loop, run } = rig(1)
  const places = [{ topic: 't', partition: 0 }]
  await loop.close()
  loop.open(2, places)
  loop.seek(places[0]!, 3)
  loop.begin(2, places, [{ kind: 'start', offset: 9 }])
  await run(() => broker.asked.length > 0 && handler.offsets('t').includes(29))
  expect(handler.offsets('t')).toEqual(upTo(30, 3))
})

test('damage on the way is cured by fetching again', async () => {
  const { broker, handler, run } = rig(1)
  broker.damagedAt.set(0, 3)
  await run(() => handler.offsets('t').length === 3 && broker.asked.length > 2)
  broker.damagedAt.clear()
  await run(() => handler.offsets('t').length === 30)
  expect(handler.offsets('t')).toEqual(upTo(30))
  expect(handler.damages).toEqual([])
})

test('a paused partition gets nothing more, and nothing is left out when it goes on', async () => {
  const { handler, loop, run } = rig(2)
  let accepted = 0
  handler.accept = async ({ partition }) => {
    await realClock.sleep(2)
    if (partition === 0 && ++accepted === 3) loop.pause([{ topic: 't', partition: 0 }])
  }
  await run(() => handler.offsets('t', 1).length === 30)
  expect(handler.offsets('t', 0)).toEqual(upTo(9))
  loop.resume([{ topic: 't', partition: 0 }])
  await run(() => handler.offsets('t', 0).length === 30)
  expect(handler.offsets('t', 0)).toEqual(upTo(30))
})

test('fetching waits while the handler has as much as it may have', async () => {
  const { broker, handler, run } = rig(5, 100)
  let release = (): void => {}
  const released = new Promise<void>((resolve) => (release = resolve))
  handler.accept = () => released
  await run(() => broker.asked.length === 1)
  let turns = 0
  await run(() => ++turns === 10)
  expect(broker.asked.length).toBe(1)
  release()
  await run(() => handler.batches.length === 50)
})

test('what is fetched and not accepted counts with the objects of its records', async () => {
  // Under the bytes of five batches, above those of one with the objects of its records.
  const { broker, handler, loop, run } = rig(1, 1000)
  const waiting: { bytes: number; release: () => void }[] = []
  handler.accept = (batch) =>
    new Promise((resolve) => waiting.push({ bytes: heldBytes(batch), release: resolve }))
  expect(loop.fetchedBytes).toBe(0)
  await run(() => waiting.length === 1)
  let turns = 0
  await run(() => ++turns === 10)
  expect(broker.asked.length).toBe(1)
  expect(loop.fetchedBytes).toBe(waiting[0]!.bytes)
  expect(loop.fetchedBytes).toBeGreaterThan(RECORDS_PER_BATCH * 300)

  loop.pause([{ topic: 't', partition: 0 }])
  waiting[0]!.release()
  await run(() => handler.batches.length === 1)
  expect(loop.fetchedBytes).toBe(0)
})

test('the end of a generation stops its handlers and its deliveries', async () => {
  const { handler, loop, run, failures } = rig(2)
  const signals: AbortSignal[] = []
  handler.accept = async (_, __, signal) => {
    signals.push(signal)
    await realClock.sleep(60_000, signal)
    throw new Error('given up')
  }
  await run(() => signals.length === 2)
  await loop.close()
  expect(signals.every(({ aborted }) => aborted)).toBe(true)
  // A thousand partitions wait for it at the same time.
  expect(signals.map((signal) => getMaxListeners(signal))).toEqual([Infinity, Infinity])
  expect(handler.batches).toEqual([])
  expect(failures).toEqual([])
})

test('a handler that rejects is fatal', async () => {
  const { handler, run, failures } = rig(1)
  const trouble = new Error('the disk is gone')
  handler.accept = () => Promise.reject(trouble)
  await run(() => failures.length > 0)
  expect(failures).toEqual([trouble])
})

test('a partition that has not begun is not fetched, and stops no other', async () => {
  const { broker, handler, loop, run } = rig(0)
  const partitions = [0, 1].map((partition) => ({ topic: 't', partition }))
  loop.open(2, partitions)
  loop.begin(2, [partitions[1]!], [{ kind: 'start', offset: 0 }])
  await run(() => handler.offsets('t', 1).length === 30)
  expect(broker.asked.every((asked) => !asked.includes(0))).toBe(true)
})

test('the memory of an answer is used again once every batch of it was released', async () => {
  const { broker, handler, run } = rig(2)
  broker.logEnd = RECORDS_PER_BATCH
  broker.memory = new ArrayBuffer(300_000)
  await run(() => handler.batches.length === 2)
  const isFree = (): boolean => {
    const taken = responseMemory.take(300_000)
    const isIt = taken.buffer === broker.memory
    responseMemory.giveBack(taken.buffer)
    return isIt
  }
  const [first, second] = handler.batches
  const seen = [isFree()]
  for (const { batch } of [first!, second!]) {
    batch.release?.()
    seen.push(isFree())
  }
  expect(seen).toEqual([false, false, true])
})

test('a batch has one leader epoch, and says it', async () => {
  const { broker, handler, run } = rig(1)
  broker.epochStarts.set(6, 5)
  await run(() => handler.offsets('t').length === 30)
  expect(handler.batches.map(({ batch }) => [batch.fromOffset, batch.leaderEpoch])).toEqual([
    ...[0, 3].map((offset) => [offset, 3]),
    ...[6, 9, 12, 15, 18, 21, 24, 27].map((offset) => [offset, 5]),
  ])
})

test('where other leaders go on, the log is asked whether it leads there, once', async () => {
  const { broker, handler, checks, run } = rig(1)
  broker.epochStarts.set(6, 5)
  await run(() => handler.offsets('t').length === 30)
  expect(checks).toEqual([{ offset: 6, leaderEpoch: 3 }])
})

test('a log that was cut below what was read and goes on under other leaders is held, not read', async () => {
  const { broker, handler, answers, run, loop } = rig(1)
  broker.epochStarts.set(6, 5)
  answers.check = () => 4
  await run(() => handler.truncations.length > 0)
  await realClock.sleep(20)
  await loop.fetchFrom(broker.cluster, '1')
  expect(handler.truncations).toEqual([{ topic: 't', partition: 0, offset: 6, leaderEpoch: 3, endOffset: 4 }])
  expect(handler.offsets('t')).toEqual(upTo(6))
})

test('a leader that cannot be asked for epochs is read on from', async () => {
  const { broker, handler, answers, run } = rig(1)
  broker.epochStarts.set(6, 5)
  answers.check = () => undefined
  await run(() => handler.offsets('t').length === 30)
  expect(handler.offsets('t')).toEqual(upTo(30))
})

test('what the first fetch brings is checked against the leader epoch that reading began with', async () => {
  const { checks, handler, loop, run } = rig(1)
  loop.begin(1, [{ topic: 't', partition: 0 }], [{ kind: 'start', offset: 3, leaderEpoch: 2 }])
  await run(() => handler.offsets('t').length === 27)
  expect(checks).toEqual([{ offset: 3, leaderEpoch: 2 }])
})

test('a topic that a broker does not know is read on only when it is known to be the same', async () => {
  const { broker, handler, answers, run } = rig(1)
  let asked = 0
  answers.confirm = () => {
    asked++
    return Promise.reject(new SourceError('ERR_BROKER', 'another one'))
  }
  broker.errorCode = 3
  await run(() => asked > 0)
  broker.errorCode = 0
  // What it gives meanwhile may be of another topic.
  const before = asked
  await run(() => asked > before + 2)
  expect(handler.offsets('t')).toEqual([])
  answers.confirm = () => Promise.resolve()
  await run(() => handler.offsets('t').length === 30)
  expect(handler.offsets('t')).toEqual(upTo(30))
})
