import { describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import { BlockIndex } from '../../../src/storage/block/block-index.ts'
import type { IndexEntry } from '../../../src/storage/codec/index-codec.ts'

describe('a block index', () => {
  it('says that blocks overlap exactly while the latest record of one reaches into a later one', () => {
    const change = fc.record({
      id: fc.bigInt(0n, 30n),
      length: fc.bigInt(0n, 12n),
      isRemoval: fc.boolean(),
    })
    fc.assert(
      fc.property(fc.array(change, { maxLength: 40 }), (changes) => {
        const index = new BlockIndex()
        for (const { id, length, isRemoval } of changes) {
          if (isRemoval) index.delete(id)
          else index.set(block(id, id + length))
          const reaches = index.blocks.some((one) =>
            index.blocks.some((other) => other.id > one.id && other.id <= one.latestUs),
          )
          expect(index.isOverlapping).toBe(reaches)
        }
      }),
    )
  })
})

function block(id: bigint, latestUs: bigint): IndexEntry {
  return { id, latestUs, sizeBytes: 0n, recordCount: 1, metadataBytes: 0n, crc64: 1n }
}
