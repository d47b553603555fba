import { crc32 } from 'node:zlib'
import { crc64, loadCrc64 } from '../../src/base/crc64.ts'
import { encodeDescriptor } from '../../src/storage/codec/descriptor-codec.ts'
import { encodeIndex, type IndexEntry } from '../../src/storage/codec/index-codec.ts'
import { encodeRecord, recordBytes } from '../../src/storage/codec/record-codec.ts'
import { encodeBucketSettings } from '../../src/storage/codec/settings-codec.ts'
import { defaultBucketSettings } from '../../src/storage/options.ts'
import { BucketPaths, EntryPaths } from '../../src/storage/paths.ts'
import {
  finishWalEntry,
  walEntryType,
  walHeadBytes,
  walStopMarker,
  walTailBytes,
} from '../../src/storage/wal/wal-codec.ts'

await loadCrc64()

/** Two sealed blocks and an open one, every record with a CRC-32 of its content. */
export function makeDirectory(): Map<string, Uint8Array> {
  const content = (us: number): Uint8Array => new TextEncoder().encode(`content of ${us}`)
  const record = (us: number, beginBytes: number): Uint8Array => {
    const fields = {
      timestampUs: us,
      beginBytes,
      endBytes: beginBytes + content(us).byteLength,
      state: 1,
      labels: ['offset', String(us)],
      contentType: 'text/plain',
      contentCrc32: crc32(content(us)),
    }
    const bytes = new Uint8Array(recordBytes(fields))
    encodeRecord(bytes, 0, fields)
    return bytes
  }
  const paths = new EntryPaths('', { bucket: 'kafka', entry: 'topic/0' })
  const files = new Map<string, Uint8Array>()
  const keep = (path: string, bytes: Uint8Array): unknown => files.set(path.slice(1), bytes)
  const entries: IndexEntry[] = []
  for (const id of [1_000_000, 2_000_000]) {
    const data = Buffer.concat([content(id), content(id + 7)])
    const descriptor = encodeDescriptor({ id, sizeBytes: data.length }, [
      record(id, 0),
      record(id + 7, content(id).length),
    ])
    keep(paths.data(id), data)
    keep(paths.descriptor(id), descriptor)
    entries.push({
      id: BigInt(id),
      sizeBytes: BigInt(data.length),
      recordCount: 2,
      metadataBytes: BigInt(descriptor.length),
      latestUs: BigInt(id + 7),
      crc64: crc64(descriptor),
    })
  }
  keep(new BucketPaths('', 'kafka').settings, encodeBucketSettings(defaultBucketSettings))
  keep(`${paths.walDirectory}/`, new Uint8Array(0))
  keep(paths.index, encodeIndex(entries).bytes)
  return files
}

/** The directory above with one more block that exists only as data and WAL. */
export function makeOpenDirectory(): Map<string, Uint8Array> {
  const files = makeDirectory()
  const id = 3_000_000
  const fields = { timestampUs: id, beginBytes: 0, endBytes: 3, state: 1, labels: [], contentType: '' }
  const withCrc = { ...fields, contentCrc32: crc32('abc') }
  const wal = new Uint8Array(walHeadBytes + recordBytes(withCrc) + walTailBytes + 1)
  wal[finishWalEntry(wal, 0, walEntryType.writeRecord, encodeRecord(wal, walHeadBytes, withCrc))] =
    walStopMarker
  files.set(`kafka/topic/0/${id}.blk`, Buffer.from('abc'))
  files.set(`kafka/topic/0/.wal/${id}.wal`, wal)
  return files
}

/** Every way to change one byte of one file, as copies of the directory. */
export function* withOneByteChanged(
  files: Map<string, Uint8Array>,
  path: string,
): IterableIterator<Map<string, Uint8Array>> {
  const bytes = files.get(path) as Uint8Array
  for (let at = 0; at < bytes.length; at++) {
    const changed = new Uint8Array(bytes)
    changed[at] = (bytes[at] as number) ^ 0xff
    yield new Map([...files, [path, changed]])
  }
}

/** One file of each kind in `makeDirectory`'s result. */
export const sealedFiles = [
  'kafka/topic/0/1000000.blk',
  'kafka/topic/0/2000000.meta',
  'kafka/topic/0/blocks.idx',
]
