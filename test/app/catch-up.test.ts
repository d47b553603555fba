import { expect, it } from '@jest/globals'
import { CatchUp } from '../../src/app/catch-up.ts'
import type { PartitionStatus, SinkStatus } from '../../src/sink/status.ts'

const partition = (number: number, durableOffset: number, highWatermark: number): PartitionStatus => ({
  topic: 't',
  partition: number,
  acceptedOffset: durableOffset,
  durableOffset,
  committedOffset: undefined,
  highWatermark,
  lagRecords: 0,
  durableLagSeconds: 0,
  hold: undefined,
  paused: [],
})
const held = (status: PartitionStatus): PartitionStatus => ({
  ...status,
  hold: { reason: 'no-rule', detail: '' },
})
const sinkOf = (partitions: PartitionStatus[], isAssigned = true): SinkStatus => ({
  phase: 'running',
  failure: undefined,
  isAssigned,
  epoch: 1,
  partitions,
  paused: [],
  memory: { usedBytes: 0, bytesMax: 1, waiting: 0, fetchedBytes: 0 },
  underway: { submissions: 0, records: 0, bytes: 0 },
})

it('knows nothing before the group has given partitions', () => {
  const catchUp = new CatchUp()
  expect(catchUp.look({ sink: undefined })).toBeUndefined()
  expect(catchUp.look({ sink: sinkOf([], false) })).toBeUndefined()
  expect(catchUp.look({ sink: sinkOf([]) })).toMatchObject({ isOver: true, offsetsTotal: 0 })
})

it('is over at the ends that were there at the start, whatever has come since', () => {
  const catchUp = new CatchUp()
  const look = (...partitions: PartitionStatus[]) => catchUp.look({ sink: sinkOf(partitions) })
  expect(look(partition(0, 10, 100), partition(1, 0, 0))).toEqual({
    offsetsLeft: 90,
    offsetsTotal: 90,
    isOver: false,
    held: [],
  })
  expect(look(partition(0, 60, 500), partition(1, 0, 70))).toMatchObject({ offsetsLeft: 40, isOver: false })
  expect(look(partition(0, 130, 900), partition(1, 0, 90))).toMatchObject({ offsetsLeft: 0, isOver: true })
})

it('counts a partition that comes later from then on, and none while it is away', () => {
  const catchUp = new CatchUp()
  catchUp.look({ sink: sinkOf([partition(0, 0, 10)]) })
  expect(catchUp.look({ sink: sinkOf([partition(1, 5, 8)]) })).toMatchObject({
    offsetsLeft: 3,
    offsetsTotal: 3,
  })
  expect(catchUp.look({ sink: sinkOf([partition(0, 4, 20), partition(1, 8, 9)]) })).toMatchObject({
    offsetsLeft: 6,
    isOver: false,
  })
})

it('is over with what is held named, and waits for what cannot be read now', () => {
  const catchUp = new CatchUp()
  const sink = sinkOf([held(partition(0, 0, 10)), held(partition(1, 3, 3)), partition(2, 7, 7)])
  expect(catchUp.look({ sink })).toMatchObject({ isOver: true, offsetsLeft: 10, held: ['t/0 (no-rule)'] })
  const unreadable = [{ topic: 't', partition: 3, reason: 'no leader' }]
  expect(catchUp.look({ sink, unreadable })).toMatchObject({ isOver: false })
})

it('is not over while content is owed', () => {
  const catchUp = new CatchUp()
  const owing = { ...partition(0, 10, 10), isOwing: true }
  expect(catchUp.look({ sink: sinkOf([owing]) })).toMatchObject({ isOver: false })
  expect(catchUp.look({ sink: sinkOf([partition(0, 10, 10)]) })).toMatchObject({ isOver: true })
})
