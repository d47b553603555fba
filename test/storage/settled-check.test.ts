import { rmSync } from 'node:fs'
import { describe, expect, it } from '@jest/globals'
import { crc64 } from '../../src/base/crc64.ts'
import { encodeDescriptor } from '../../src/storage/codec/descriptor-codec.ts'
import { decodeIndex, encodeIndex, type IndexEntry } from '../../src/storage/codec/index-codec.ts'
import { encodeRecord, recordBytes, type RecordFields } from '../../src/storage/codec/record-codec.ts'
import { walStopMarker } from '../../src/storage/wal/wal-codec.ts'
import { goldenManifests, isClean, unpackGolden } from '../support/golden.ts'
import { mapFiles, nodeFiles } from '../support/independent/files.ts'
import { checkSettled } from '../support/independent/settled-check.ts'
import { makeDirectory, sealedFiles, withOneByteChanged } from '../support/made-directory.ts'

describe('the check of a settled directory', () => {
  it('finds nothing wrong with what our codecs wrote', () => {
    expect(checkSettled(mapFiles(makeDirectory()))).toEqual([])
  })

  it.each(sealedFiles)('notices a change of any byte in %s', (path) => {
    for (const changed of withOneByteChanged(makeDirectory(), path)) {
      expect(checkSettled(mapFiles(changed))).not.toEqual([])
    }
  })

  const block = (change: Partial<IndexEntry>) => (files: Map<string, Uint8Array>) => {
    const path = 'kafka/topic/0/blocks.idx'
    const { entries } = decodeIndex(files.get(path) as Uint8Array)
    const changed = [...entries.values()].map((entry) =>
      entry.id === 2_000_000n ? { ...entry, ...change } : entry,
    )
    return files.set(path, encodeIndex(changed).bytes)
  }
  const descriptor =
    (id: number, records: readonly Uint8Array[], sizeBytes: number) => (files: Map<string, Uint8Array>) => {
      const bytes = encodeDescriptor({ id, sizeBytes }, records)
      files.set('kafka/topic/0/2000000.meta', bytes)
      return block({ crc64: crc64(bytes), metadataBytes: BigInt(bytes.length) })(files)
    }
  const recordOf = (change: Partial<RecordFields>): Uint8Array => {
    const plain = {
      timestampUs: 2_000_000,
      beginBytes: 0,
      endBytes: 9,
      state: 1,
      labels: [],
      contentType: '',
      contentCrc32: undefined,
    }
    const bytes = new Uint8Array(recordBytes({ ...plain, ...change }))
    encodeRecord(bytes, 0, { ...plain, ...change })
    return bytes
  }
  const without = (path: string) => (files: Map<string, Uint8Array>) => {
    files.delete(path)
    return files
  }

  it.each<[string, string, (files: Map<string, Uint8Array>) => Map<string, Uint8Array>]>([
    ['no log folder', 'I1', without('kafka/topic/0/.wal/')],
    ['a WAL', 'I1', (files) => files.set('kafka/topic/0/.wal/1.wal', Uint8Array.of(walStopMarker))],
    ['no index', 'I1', without('kafka/topic/0/blocks.idx')],
    ['a block without data', 'I2', without('kafka/topic/0/1000000.blk')],
    ['a block without descriptor', 'I2', without('kafka/topic/0/1000000.meta')],
    [
      'a descriptor that the index does not list',
      'I2',
      (files) => files.set('kafka/topic/0/5.meta', Uint8Array.of(10, 0, 18, 0)),
    ],
    ['an entry without CRC', 'I3', block({ crc64: undefined })],
    ['an entry with an old CRC', 'I3', block({ crc64: 5n })],
    ['a descriptor of another id', 'I4', descriptor(2_000_001, [recordOf({})], 36)],
    ['a record before its block', 'I5', descriptor(2_000_000, [recordOf({ timestampUs: 1_999_999 })], 36)],
    [
      'a record in the next block',
      'I5',
      (files) =>
        files.set(
          'kafka/topic/0/1000000.meta',
          encodeDescriptor({ id: 1_000_000, sizeBytes: 36 }, [recordOf({ timestampUs: 2_000_000 })]),
        ),
    ],
    ['a record beyond the size', 'I6', descriptor(2_000_000, [recordOf({ endBytes: 37 })], 36)],
    ['a short data file', 'I6', (files) => files.set('kafka/topic/0/2000000.blk', new Uint8Array(35))],
    ['a wrong count', 'I7', block({ recordCount: 3 })],
    ['a late latest time', 'I7', block({ latestUs: 2_000_008n })],
    ['a label that HTTP cannot carry', 'I8', descriptor(2_000_000, [recordOf({ labels: ['a b', 'c'] })], 36)],
    [
      'a content type that HTTP cannot carry',
      'I8',
      descriptor(2_000_000, [recordOf({ contentType: 'é' })], 36),
    ],
    [
      'an index with a wrong checksum',
      'I9',
      (files) =>
        files.set(
          'kafka/topic/0/blocks.idx',
          Buffer.concat([files.get('kafka/topic/0/blocks.idx') ?? Buffer.alloc(0), Uint8Array.of(16, 5)]),
        ),
    ],
    ['an entry of another size', 'I10', block({ sizeBytes: 35n })],
    [
      'an entry named wal',
      'I11',
      (files) =>
        files.set('kafka/wal/blocks.idx', new Uint8Array(0)).set('kafka/wal/.wal/', new Uint8Array(0)),
    ],
    [
      'content that contradicts its CRC-32',
      'content',
      descriptor(2_000_000, [recordOf({ contentCrc32: 1 })], 36),
    ],
  ])('names %s as a breach of %s', (_, invariant, change) => {
    expect(checkSettled(mapFiles(change(makeDirectory()))).map((violation) => violation.invariant)).toContain(
      invariant,
    )
  })

  it('agrees that stock stops cleanly, but for what is known of its weak points', async () => {
    const breaches: Record<string, string[]> = {}
    for (const manifest of goldenManifests()
      .filter(isClean)
      .filter((one) => one.server_version === '1.19.0')) {
      const root = await unpackGolden(manifest.name)
      const names = new Set(checkSettled(nodeFiles(root)).map((violation) => violation.invariant))
      if (names.size > 0) breaches[manifest.name] = [...names].sort()
      rmSync(root, { recursive: true })
    }
    expect(breaches).toEqual({
      'entry-named-wal': ['I11'],
      'late-overlap': ['I5'],
      'nested-entries': ['I11'],
    })
  })
})
