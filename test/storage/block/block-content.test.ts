// Goal: a WAL laid over its base descriptor gives what replaying it record by record gives. Method: random WALs with late,
// repeated and removed times, against a map that is filled in order; the seed is the name of the test.
import { beforeAll, describe, expect, it } from '@jest/globals'
import { loadCrc64 } from '../../../src/base/crc64.ts'
import { mergeBlock } from '../../../src/storage/block/block-content.ts'
import { decodeDescriptor, encodeDescriptor } from '../../../src/storage/codec/descriptor-codec.ts'
import { encodeRecord, recordBytes } from '../../../src/storage/codec/record-codec.ts'
import { encodeWalEntry, walEntryType, walStopMarker } from '../../../src/storage/wal/wal-codec.ts'
import { Random } from '../../support/random.ts'

const START_US = 1_700_000_000_000_000

beforeAll(loadCrc64)

function encodedRecord(random: Random, timestampUs: number): Uint8Array {
  const beginBytes = random.between(0, 1000)
  const record = {
    timestampUs,
    beginBytes,
    endBytes: beginBytes + random.between(0, 1000),
    state: random.between(0, 2),
    labels: ['offset', String(timestampUs), 'long', 'x'.repeat(random.pick([0, 3, 400]))],
    contentType: 'text/plain',
    contentCrc32: random.between(0, 2 ** 31),
  }
  const bytes = new Uint8Array(recordBytes(record))
  encodeRecord(bytes, 0, record)
  return bytes
}

/** Records by time as replay leaves them, and the WAL that says so. */
function randomWal(random: Random, records: Map<number, Uint8Array>): Uint8Array {
  const entries: Uint8Array[] = []
  const isInOrder = random.between(0, 1) === 0
  for (let index = 0; index < 30; index++) {
    const timestampUs = START_US + (isInOrder ? 1000 + index : random.between(0, 20))
    if (!isInOrder && random.between(0, 4) === 0) {
      const key = Buffer.alloc(8)
      key.writeBigUInt64BE(BigInt(timestampUs))
      entries.push(encodeWalEntry(walEntryType.removeRecord, key))
      records.delete(timestampUs)
    } else {
      const record = encodedRecord(random, timestampUs)
      entries.push(encodeWalEntry(walEntryType.writeRecord, record))
      records.set(timestampUs, record)
    }
  }
  return Buffer.concat([...entries, Uint8Array.of(walStopMarker)])
}

describe('a WAL over its base', () => {
  it.each(Array.from({ length: 40 }, (_, index) => index + 1))(
    'is what replay makes of it (seed %i)',
    (seed) => {
      const random = new Random(seed)
      const replayed = new Map<number, Uint8Array>()
      const hasBase = random.between(0, 1) === 0
      if (hasBase) {
        for (let index = 0; index < 5; index++) {
          replayed.set(START_US + index * 3, encodedRecord(random, START_US + index * 3))
        }
      }
      const head = { id: BigInt(START_US), sizeBytes: 5000, lastFrame: 7 }
      const base = hasBase ? decodeDescriptor(encodeDescriptor(head, [...replayed.values()])) : undefined
      const wal = randomWal(random, replayed)

      const merged = mergeBlock(BigInt(START_US), base, wal, 7)

      const expected = [...replayed].sort(([a], [b]) => a - b)
      const sizeBytes = merged.sizeBytes
      const bytes = encodeDescriptor(
        { ...head, sizeBytes, otherFields: base?.otherFields },
        expected.map(([, record]) => record),
      )
      expect(Buffer.from(merged.bytes).equals(bytes)).toBe(true)
      expect(merged.recordCount).toBe(expected.length)
      expect(merged.latestUs).toBe(BigInt(expected.at(-1)?.[0] ?? 0))
      expect(sizeBytes).toBeGreaterThanOrEqual(hasBase ? 5000 : 0)
    },
  )
})
