import { isDeepStrictEqual } from 'node:util'
import { crc32 } from 'node:zlib'
import fc from 'fast-check'
import {
  decodeDescriptor,
  encodeDescriptor,
  type Descriptor,
} from '../../src/storage/codec/descriptor-codec.ts'
import { decodeFolder, encodeFolder, isFolderOf } from '../../src/storage/codec/folder-codec.ts'
import {
  decodeIndex,
  encodeIndex,
  encodeIndexAppend,
  type IndexEntry,
} from '../../src/storage/codec/index-codec.ts'
import {
  decodeRecord,
  encodeRecord,
  recordBytes,
  type RecordFields,
} from '../../src/storage/codec/record-codec.ts'
import { scanRecord } from '../../src/storage/codec/scan-record.ts'
import {
  decodeBucketSettings,
  encodeBucketSettings,
  encodeCheckedBucketSettings,
} from '../../src/storage/codec/settings-codec.ts'
import { StorageError } from '../../src/storage/errors.ts'
import { storePaths } from '../../src/storage/paths.ts'
import { readFormat, readGeneration } from '../../src/storage/store-files.ts'
import {
  finishWalEntry,
  scanWal,
  walEntryType,
  walHeadBytes,
  walTailBytes,
} from '../../src/storage/wal/wal-codec.ts'
import { crc64 } from '../support/independent/crc64.ts'
import { SimulatedDisk } from '../support/simulated-disk.ts'
import type { FuzzTarget, FuzzVerdict } from './fuzz.ts'
import { firstDifference } from './mutations.ts'

/** ReductStore's files and our own small ones. The commit log is in `log-targets.ts`. */
export const isDamage = (error: unknown): boolean =>
  error instanceof StorageError && error.code === 'ERR_CORRUPT'

export const safeNat = fc.oneof(fc.nat(300), fc.maxSafeNat())
export const u64 = fc.oneof(fc.bigInt({ min: 0n, max: 300n }), fc.bigInt({ min: 0n, max: (1n << 64n) - 1n }))
export const name = fc.oneof(fc.string({ maxLength: 12 }), fc.string({ maxLength: 12, unit: 'grapheme' }))

const recordFields: fc.Arbitrary<RecordFields> = fc
  .record({
    timestampUs: safeNat,
    beginBytes: fc.nat(10_000),
    contentBytes: fc.nat(10_000),
    state: fc.constantFrom(0, 1, 1, 1, 2),
    labels: fc.array(fc.tuple(name, name), { maxLength: 3 }).map((pairs) => pairs.flat()),
    contentType: name,
    contentCrc32: fc.option(fc.nat(0xffff_ffff), { nil: undefined }),
  })
  .map(({ contentBytes, ...fields }) => ({ ...fields, endBytes: fields.beginBytes + contentBytes }))

function recordOf(fields: RecordFields): Uint8Array {
  const bytes = new Uint8Array(recordBytes(fields))
  encodeRecord(bytes, 0, fields)
  return bytes
}

export const record = recordFields.map(recordOf)

const recordTarget: FuzzTarget = {
  name: 'record',
  valid: record,
  isPromised: isDamage,
  decode: (bytes) => {
    const decoded = decodeRecord(bytes)
    const scanned = scanRecord(bytes, 0, bytes.byteLength)
    if (BigInt(scanned.timestampUs) !== decoded.timestampUs || scanned.endBytes !== decoded.endBytes)
      throw new Error('a scan sees another record')
    return 'whole'
  },
}

const descriptorTarget: FuzzTarget = {
  name: 'descriptor',
  valid: fc
    .tuple(u64, safeNat, fc.option(safeNat, { nil: undefined }), fc.array(recordFields, { maxLength: 6 }))
    .map(([id, sizeBytes, lastFrame, records]) => {
      const ascending = records.toSorted((one, other) => one.timestampUs - other.timestampUs)
      return encodeDescriptor({ id, sizeBytes, lastFrame }, ascending.map(recordOf))
    }),
  isPromised: isDamage,
  decode: (bytes) => {
    const descriptor = decodeDescriptor(bytes)
    const { id, sizeBytes, lastFrame, otherFields, timestampsUs } = descriptor
    if (timestampsUs.some((us, index) => index > 0 && us <= (timestampsUs[index - 1] as bigint)))
      throw new Error('records are out of order')
    const records = recordsIn(descriptor)
    const again = decodeDescriptor(
      encodeDescriptor({ id: id ?? 0n, sizeBytes, lastFrame, otherFields }, records),
    )
    if (!isDeepStrictEqual(recordsIn(again), records) || !isDeepStrictEqual(again.timestampsUs, timestampsUs))
      throw new Error('written again it holds other records')
    // Labels are looked at when a record is read: until then a damaged one is its own affair.
    let verdict: FuzzVerdict = 'whole'
    for (const one of records) {
      try {
        decodeRecord(one)
      } catch (error) {
        if (!isDamage(error)) throw error
        verdict = 'part'
      }
    }
    return verdict
  },
}

function recordsIn({ bytes, recordFromBytes, recordToBytes }: Descriptor): Uint8Array[] {
  return Array.from(recordFromBytes, (from, index) => bytes.slice(from, recordToBytes[index]))
}

const indexEntry: fc.Arbitrary<IndexEntry> = fc.record({
  id: u64,
  sizeBytes: u64,
  recordCount: safeNat,
  metadataBytes: u64,
  latestUs: u64,
  crc64: fc.option(u64, { nil: undefined }),
  compression: fc.option(fc.nat(1), { nil: undefined }),
  corrupted: fc.option(fc.boolean(), { nil: undefined }),
  version: fc.option(u64, { nil: undefined }),
})

const indexTarget: FuzzTarget = {
  name: 'index',
  valid: fc
    .tuple(fc.array(indexEntry, { maxLength: 4 }), fc.array(indexEntry, { maxLength: 2 }))
    .map(([entries, appended]) => {
      const whole = encodeIndex(entries)
      if (appended.length === 0) return whole.bytes
      return new Uint8Array(Buffer.concat([whole.bytes, encodeIndexAppend(whole.crc64, appended).bytes]))
    }),
  isPromised: () => false,
  decode: (bytes) => {
    const { verdict, entries } = decodeIndex(bytes)
    const again = decodeIndex(encodeIndex(entries.values()).bytes)
    if (!isDeepStrictEqual(again.entries, entries)) throw new Error('written again it holds other entries')
    return verdict === 'valid' ? 'whole' : entries.size > 0 ? 'part' : 'refused'
  },
}

const walEntry = fc.oneof(
  record.map((payload) => walEntryOf(walEntryType.writeRecord, payload)),
  record.map((payload) => walEntryOf(walEntryType.updateRecord, payload)),
  fc.constant(new Uint8Array(0)).map((payload) => walEntryOf(walEntryType.removeBlock, payload)),
  fc.uint8Array({ minLength: 8, maxLength: 8 }).map((time) => walEntryOf(walEntryType.removeRecord, time)),
)

function walEntryOf(type: (typeof walEntryType)[keyof typeof walEntryType], payload: Uint8Array): Uint8Array {
  const entry = new Uint8Array(walHeadBytes + payload.byteLength + walTailBytes)
  entry.set(payload, walHeadBytes)
  finishWalEntry(entry, 0, type, walHeadBytes + payload.byteLength)
  return entry
}

const walTarget: FuzzTarget = {
  name: 'WAL',
  valid: fc
    .tuple(fc.array(walEntry, { maxLength: 5 }), fc.uint8Array({ maxLength: 20 }))
    .map(([entries, rest]) => new Uint8Array(Buffer.concat([...entries, Buffer.from([0xff]), rest]))),
  isPromised: () => false,
  decode: (bytes, origin) => {
    const scan = scanWal(bytes)
    let at = 0
    for (const { atBytes, payloadToBytes, endBytes } of scan.entries) {
      const stored = Buffer.from(bytes.buffer, bytes.byteOffset + payloadToBytes, 8).readBigUInt64BE()
      if (atBytes !== at || endBytes !== payloadToBytes + walTailBytes || endBytes > bytes.byteLength)
        throw new Error('entries are not one behind the other')
      if (stored !== crc64(bytes, atBytes, payloadToBytes)) throw new Error('an entry that was never written')
      at = endBytes
    }
    if (origin !== undefined) {
      const sameBytes = firstDifference(bytes, origin)
      const untouched = scanWal(origin).entries.filter(({ endBytes }) => endBytes <= sameBytes)
      if (!isDeepStrictEqual(scan.entries.slice(0, untouched.length), untouched))
        throw new Error('entries before the damage are lost')
    }
    return scan.ending === 'marker' ? 'whole' : scan.entries.length > 0 ? 'part' : 'refused'
  },
}

const settings = fc.record({
  blockBytesMax: safeNat,
  blockRecordsMax: safeNat,
  quota: fc.record({ kind: fc.constantFrom('none', 'fifo', 'hard'), bytes: safeNat }),
})

const settingsTarget: FuzzTarget = {
  name: 'settings',
  valid: fc.oneof(settings.map(encodeBucketSettings), settings.map(encodeCheckedBucketSettings)),
  isPromised: isDamage,
  decode: (bytes) => {
    const { blockBytesMax, blockRecordsMax, quota } = decodeBucketSettings(bytes)
    for (const value of [blockBytesMax, blockRecordsMax, quota.bytes]) {
      if (!Number.isSafeInteger(value) || value < 0) throw new Error(`a limit of ${value}`)
    }
    return 'whole'
  },
}

const folderTarget: FuzzTarget = {
  name: 'folder',
  valid: fc.array(name, { maxLength: 6 }).map(encodeFolder),
  isPromised: isDamage,
  decode: (bytes) => {
    isFolderOf(bytes, ['a', 'b'])
    const names = decodeFolder(bytes)
    if (names.some((one) => typeof one !== 'string')) throw new Error('a name that is no text')
    return 'whole'
  },
}

const storeFormat = fc
  .record({ version: fc.nat(2), storeId: name }, { requiredKeys: ['version', 'storeId'] })
  .map((format) => withChecksum(format))

function withChecksum(format: object): Uint8Array {
  const { crc32: _, ...rest } = format as { crc32?: unknown }
  return Buffer.from(`${JSON.stringify({ ...rest, crc32: crc32(JSON.stringify(rest)) })}\n`)
}

const paths = storePaths('/data')

const formatTarget: FuzzTarget = {
  name: 'format file',
  valid: fc.oneof(
    storeFormat,
    fc.json({ maxDepth: 2 }).map((text) => Buffer.from(text)),
  ),
  share: 0.5,
  reseal: (bytes) => {
    try {
      return withChecksum(JSON.parse(Buffer.from(bytes).toString()) as object)
    } catch {
      return bytes
    }
  },
  isPromised: (error) =>
    error instanceof StorageError && (error.code === 'ERR_CORRUPT' || error.code === 'ERR_FORMAT'),
  decode: async (bytes): Promise<FuzzVerdict> => {
    const disk = new SimulatedDisk()
    disk.putFile(paths.format, bytes)
    const format = await readFormat(disk.fs, paths)
    if (format?.version !== 1 || typeof format.storeId !== 'string') throw new Error('no format of ours')
    return 'whole'
  },
}

const owner = fc
  .record({ generation: fc.nat(), pid: fc.nat(), startedAt: fc.string() })
  .map((one) => Buffer.from(JSON.stringify(one)))

const ownerTarget: FuzzTarget = {
  name: 'owner file',
  valid: fc.oneof(
    owner,
    fc.json({ maxDepth: 2 }).map((text) => Buffer.from(text)),
  ),
  share: 0.5,
  isPromised: () => false,
  decode: async (bytes): Promise<FuzzVerdict> => {
    const disk = new SimulatedDisk()
    disk.putFile(paths.owner, bytes)
    const generation = await readGeneration(disk.fs, paths)
    if (!Number.isSafeInteger(generation) || generation < 0) throw new Error(`a generation of ${generation}`)
    return generation > 0 ? 'whole' : 'refused'
  },
}

export const storageTargets: readonly FuzzTarget[] = [
  recordTarget,
  descriptorTarget,
  indexTarget,
  walTarget,
  settingsTarget,
  folderTarget,
  formatTarget,
  ownerTarget,
]
