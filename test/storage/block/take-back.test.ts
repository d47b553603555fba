import { expect, test } from '@jest/globals'
import fc from 'fast-check'
import { BlockIndex } from '../../../src/storage/block/block-index.ts'
import { BlockManager } from '../../../src/storage/block/block-manager.ts'
import { IndexFile } from '../../../src/storage/block/index-file.ts'
import { Bucket } from '../../../src/storage/bucket.ts'
import { Entry } from '../../../src/storage/entry.ts'
import { silentStorageObserver } from '../../../src/storage/observer.ts'
import { EntryPaths } from '../../../src/storage/paths.ts'
import { ManualClock } from '../../support/manual-clock.ts'

/**
 * Goal: what is taken back leaves nothing behind, whatever blocks it went into, and whatever came before and after.
 * Method: two managers get the same records; one of them gets others in between, and takes them back.
 */

const nowUs = 1_750_000_000_000_000

interface Put {
  readonly entry: number
  readonly us: number
  readonly bytes: number
}

function make() {
  const entries = [0, 1].map((partition) => {
    const name = { bucket: 'kafka', entry: `topic/${partition}` }
    const paths = new EntryPaths('/data', name)
    const settings = { blockRecordsMax: 5, blockBytesMax: 100, quota: { kind: 'none', bytes: 0 } } as const
    return new Entry(
      name,
      paths,
      new Bucket(name.bucket, settings),
      new BlockIndex(),
      new IndexFile(paths.index),
    )
  })
  const manager = new BlockManager({
    clock: new ManualClock(nowUs),
    observer: silentStorageObserver,
    load: () => Promise.reject(new Error('nothing is cold here')),
  })
  const put = ({ entry, us, bytes }: Put): void => {
    const target = entries[entry] as Entry
    const write = {
      target: target.name,
      timestampUs: nowUs + us * 1_000,
      labels: [],
      contentType: '',
      content: new Uint8Array(bytes),
    }
    expect(manager.tryReserve(target, write)).toBe(true)
  }
  const endGroup = (): void => {
    for (const { block, contentBytes } of manager.takeGroup()) {
      block.walReservedBytes += 1 + contentBytes
      block.pendingGroups -= 1
    }
  }
  const state = () =>
    entries.map(({ index, open }) => ({
      index: index.blocks.map(({ id }) => Number(id)),
      open: [...open.values()]
        .map((block) => ({
          id: block.id,
          nextIdUs: block.nextIdUs,
          blkReservedBytes: block.blkReservedBytes,
          recordCount: block.recordCount,
          latestUs: block.latestUs,
          pendingGroups: block.pendingGroups,
          slots: [...block.slots.runs()],
          building: block.building && {
            slotsUs: [...block.building.slotsUs],
            contentBytes: block.building.contentBytes,
            writes: block.building.writes.length,
            blkAtBytes: block.building.blkAtBytes,
          },
        }))
        .sort((a, b) => a.id - b.id),
    }))
  return { manager, put, endGroup, state }
}

const puts = fc.array(
  fc.record({
    entry: fc.nat(1),
    us: fc.oneof(fc.nat(30), fc.integer({ min: -100, max: 8_000_000 })),
    bytes: fc.nat(60),
  }),
  { maxLength: 30 },
)

test('a unit that is taken back leaves everything as it was', () => {
  fc.assert(
    fc.property(fc.array(fc.record({ kept: puts, undone: puts, ends: fc.boolean() })), (rounds) => {
      const one = make()
      const other = make()
      for (const { kept, undone, ends } of rounds) {
        other.manager.beginUnit()
        undone.forEach(other.put)
        other.manager.takeBackUnit()
        for (const made of [one, other]) {
          made.manager.beginUnit()
          kept.forEach(made.put)
          if (ends) made.endGroup()
        }
        expect(other.state()).toEqual(one.state())
      }
      expect(other.manager.takeGroup().map(({ slotsUs }) => slotsUs)).toEqual(
        one.manager.takeGroup().map(({ slotsUs }) => slotsUs),
      )
    }),
  )
})
