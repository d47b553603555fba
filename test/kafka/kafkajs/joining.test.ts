import { describe, expect, it } from '@jest/globals'
import { findCoordinator, joinPatiently } from '../../../src/kafka/kafkajs/joining.ts'
import type { Broker, Cluster } from '../../../src/kafka/kafkajs/internals.ts'
import { ManualClock } from '../../support/manual-clock.ts'
import { RecordingLogger } from '../../support/recording-logger.ts'

const HOUR_MS = 3_600_000
const unavailable = Object.assign(new Error('the group coordinator is not available'), {
  name: 'KafkaJSProtocolError',
  type: 'GROUP_COORDINATOR_NOT_AVAILABLE',
  retriable: true,
})

/** Joining that fails as long as `failure` says so. */
class Group {
  readonly clock = new ManualClock()
  readonly logger = new RecordingLogger()
  readonly noted: unknown[] = []
  failure: Error | undefined
  isOver = false
  attempts = 0

  join(): Promise<void> {
    const attempt = (): Promise<void> => {
      this.attempts++
      return this.failure === undefined ? Promise.resolve() : Promise.reject(this.failure)
    }
    return joinPatiently(attempt, {
      wait: (durationMs) => this.clock.sleep(durationMs),
      isOver: () => this.isOver,
      failed: (error) => this.noted.push(error),
      logger: this.logger,
    })
  }
}

describe('joining a group', () => {
  it('goes on for as long as there is no coordinator, and says so each time after the first moments', async () => {
    const group = new Group()
    group.failure = unavailable
    const joined = group.join()
    await group.clock.advance(HOUR_MS)
    expect(group.attempts).toBeGreaterThanOrEqual(HOUR_MS / 2_000)
    expect(group.noted).toHaveLength(group.attempts)
    const levels = group.logger.lines.map(({ level }) => level)
    expect(levels.slice(0, 4)).toEqual(['debug', 'debug', 'debug', 'warn'])
    expect(levels.filter((level) => level === 'warn')).toHaveLength(group.attempts - 3)
    group.failure = undefined
    await group.clock.advance(2_000)
    await joined
  })

  it.each([
    ['a connection that broke', Object.assign(new Error('closed'), { name: 'KafkaJSConnectionClosedError' })],
    ['what kafkajs has tried too often', new Error('given up', { cause: unavailable })],
  ])('is tried again after %s', async (_, failure) => {
    const group = new Group()
    group.failure = failure
    const joined = group.join()
    await group.clock.advance(10)
    group.failure = undefined
    await group.clock.advance(1_000)
    await joined
    expect(group.attempts).toBe(2)
  })

  it.each([
    [
      'a refusal',
      Object.assign(new Error('no right'), { type: 'GROUP_AUTHORIZATION_FAILED', retriable: false }),
    ],
    ['another member with our id', Object.assign(new Error('fenced'), { type: 'FENCED_INSTANCE_ID' })],
    ['a fault of ours', new TypeError('not a function')],
  ])('ends with %s', async (_, failure) => {
    const group = new Group()
    group.failure = failure
    await expect(group.join()).rejects.toBe(failure)
    expect(group.attempts).toBe(1)
  })

  it('ends when nobody wants to be a member any more', async () => {
    const group = new Group()
    group.failure = unavailable
    const joined = expect(group.join()).rejects.toBe(unavailable)
    await group.clock.advance(10)
    group.isOver = true
    await group.clock.advance(1_000)
    await joined
    expect(group.attempts).toBe(1)
  })
})

describe('a coordinator that is looked for', () => {
  const clusterThat = (answer: () => Promise<{ coordinator: { nodeId: number } }>): Cluster => {
    const broker = { findGroupCoordinator: answer } as unknown as Broker
    return {
      brokerPool: { findConnectedBroker: () => Promise.resolve(broker) },
      findBroker: ({ nodeId }: { nodeId: number }) => Promise.resolve({ nodeId }),
    } as unknown as Cluster
  }

  it('is the broker that a broker names', async () => {
    const cluster = clusterThat(() => Promise.resolve({ coordinator: { nodeId: 7 } }))
    await expect(findCoordinator(cluster, 'group')).resolves.toEqual({ nodeId: 7 })
  })

  it('is asked for once, and what the broker says instead is told', async () => {
    let asked = 0
    const cluster = clusterThat(() => {
      asked++
      return Promise.reject(unavailable)
    })
    await expect(findCoordinator(cluster, 'group')).rejects.toBe(unavailable)
    expect(asked).toBe(1)
  })
})
