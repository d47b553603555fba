import { expect, it } from '@jest/globals'
import { beatOrLook } from '../../../src/kafka/kafkajs/heartbeat.ts'
import type { Broker } from '../../../src/kafka/kafkajs/internals.ts'
import { RecordingLogger } from '../../support/recording-logger.ts'

/** A group whose coordinators are told apart by their names. */
class Group {
  coordinator: Broker | null
  readonly logger = new RecordingLogger()
  readonly beats: (Broker | null)[] = []
  failure: Error | undefined
  found: Broker | Error = broker('found')

  constructor(coordinator: Broker | null) {
    this.coordinator = coordinator
  }

  heartbeat(isToLook = true): Promise<void> {
    return beatOrLook(this, {
      beat: () => {
        this.beats.push(this.coordinator)
        return this.failure === undefined ? Promise.resolve() : Promise.reject(this.failure)
      },
      isToLook: () => isToLook,
      find: () => (this.found instanceof Error ? Promise.reject(this.found) : Promise.resolve(this.found)),
      wait: () => Promise.resolve(),
      logger: this.logger,
    })
  }
}

function broker(name: string): Broker {
  return { name } as unknown as Broker
}

it('a commit that let go of the coordinator does not end the membership', async () => {
  const group = new Group(null)
  group.found = new Error('none yet')
  await group.heartbeat()
  expect(group.coordinator).toBeNull()
  group.found = broker('new')
  await group.heartbeat()
  await group.heartbeat()
  expect(group.beats).toEqual([broker('new')])
})

it('a coordinator that does not answer gives way to another', async () => {
  const group = new Group(broker('old'))
  group.failure = new Error('closed')
  await group.heartbeat()
  expect(group.coordinator).toEqual(broker('found'))
  expect(group.logger.lines.map(({ level }) => level)).toEqual(['warn'])
})

it('what no other coordinator mends is told to who beats', async () => {
  const group = new Group(broker('old'))
  group.failure = new Error('rebalancing')
  await expect(group.heartbeat(false)).rejects.toBe(group.failure)
  expect(group.coordinator).toEqual(broker('old'))
})
