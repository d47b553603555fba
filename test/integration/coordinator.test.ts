import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals'
import kafkajs, { type Admin } from 'kafkajs'
import { startBroker } from '../../dev/kafka/broker.mjs'
import { createTopics } from '../../dev/kafka/protocol.mjs'
import { testSource } from '../support/kafka/test-source.ts'
import { requireTool } from '../support/needs.ts'
import { realClock } from '../support/real-clock.ts'
import { RecordingHandler } from '../support/recording-handler.ts'
import { RecordingLogger } from '../support/recording-logger.ts'

const describeWithKafka = requireTool('java') ? describe : describe.skip
jest.setTimeout(60_000)
/** As `dev/kafka` has it; a topic of another size is none that groups are kept in. */
const OFFSETS_TOPIC = { name: '__consumer_offsets', partitions: 4, config: { 'cleanup.policy': 'compact' } }

describeWithKafka('a source on a broker that cannot make the topic for its groups', () => {
  let broker: Awaited<ReturnType<typeof startBroker>>
  let admin: Admin

  beforeAll(async () => {
    broker = await startBroker({ properties: { 'offsets.topic.replication.factor': '3' } })
    admin = new kafkajs.Kafka({ brokers: [broker.bootstrap], logLevel: kafkajs.logLevel.NOTHING }).admin()
    await admin.connect()
    await createTopics(broker.bootstrap, [{ name: 'topic', partitions: 1, config: {} }])
  }, 240_000)

  afterAll(async () => {
    await admin?.disconnect()
    await broker?.stop()
  })

  test('gives up after its start timeout, and says what the broker said', async () => {
    const startTimeoutMs = 1_500
    const source = testSource({
      brokers: [broker.bootstrap],
      groupId: 'never',
      topics: ['topic'],
      startTimeoutMs,
    })
    const beganMs = realClock.monotonicMs()
    await expect(source.start(new RecordingHandler())).rejects.toMatchObject({
      code: 'ERR_BROKER',
      message: expect.stringMatching(/group never could not be joined: .*coordinator/),
    })
    const tookMs = realClock.monotonicMs() - beganMs
    expect(tookMs).toBeGreaterThanOrEqual(startTimeoutMs - 1)
    expect(tookMs).toBeLessThan(startTimeoutMs + 5_000)
  })

  test('joins when there is a coordinator, and again after it was gone', async () => {
    const logger = new RecordingLogger()
    const handler = new RecordingHandler()
    const warnings = (): number => logger.lines.filter(isJoinWarning).length
    const source = testSource({
      brokers: [broker.bootstrap],
      groupId: 'patient',
      topics: ['topic'],
      sessionTimeoutMs: 3_000,
      logger,
    })
    try {
      const started = source.start(handler)
      await handler.until('a warning', () => warnings() > 0)
      await createTopics(broker.bootstrap, [OFFSETS_TOPIC])
      await started
      await handler.until('an assignment', () => handler.assignments.length === 1)

      const before = warnings()
      await admin.deleteTopics({ topics: [OFFSETS_TOPIC.name] })
      await handler.until('another warning', () => warnings() > before)
      await createTopics(broker.bootstrap, [OFFSETS_TOPIC])
      await handler.until('another assignment', () => handler.assignments.length === 2)
      expect(handler.failures).toEqual([])
    } finally {
      await source.stop()
    }
  })
})

function isJoinWarning({ level, message }: RecordingLogger['lines'][number]): boolean {
  return level === 'warn' && message === 'the group could not be joined; trying again'
}
