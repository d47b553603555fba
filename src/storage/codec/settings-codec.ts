import { crc32 } from '../../base/crc32.ts'
import './protobuf-runtime.ts'
import { StorageError } from '../errors.ts'
import type { BucketSettings } from '../record.ts'
import { sediment } from './generated/storage.js'

const message = sediment.storage.BucketSettings
const quotaNumbers = { none: 0, fifo: 1, hard: 2 } as const

/** ReductStore's own defaults, for fields that the file leaves out. */
const absent = { blockBytesMax: 64_000_000, blockRecordsMax: 1024, quotaBytes: 0 } as const

/** `bucket.settings`, all four fields present. */
export function encodeBucketSettings(settings: BucketSettings): Uint8Array {
  return message
    .encode({
      maxBlockSize: settings.blockBytesMax,
      quotaType: quotaNumbers[settings.quota.kind],
      quotaSize: settings.quota.bytes,
      maxBlockRecords: settings.blockRecordsMax,
    })
    .finish()
}

/** Tag (field 1000, fixed32) and value. */
const CHECKSUM_BYTES = 6

/** The same with a checksum behind it, which ReductStore skips, and drops when it saves the file. */
export function encodeCheckedBucketSettings(settings: BucketSettings): Uint8Array {
  const fields = encodeBucketSettings(settings)
  return Buffer.concat([fields, message.encode({ checksum: crc32(fields) }).finish()])
}

/**
 * A file of 0 bytes means all defaults, an unknown quota none.
 * @throws {StorageError} `ERR_CORRUPT` where it does not decode or does not match its checksum
 */
export function decodeBucketSettings(bytes: Uint8Array): BucketSettings {
  const decoded = decode(bytes)
  const { checksum } = decoded
  const isIntact =
    checksum === undefined ||
    checksum === null ||
    crc32(bytes.subarray(0, bytes.byteLength - CHECKSUM_BYTES)) === checksum
  if (!isIntact) throw new StorageError('ERR_CORRUPT', 'bucket settings do not match their checksum')
  return {
    blockBytesMax: safe(decoded.maxBlockSize) ?? absent.blockBytesMax,
    blockRecordsMax: safe(decoded.maxBlockRecords) ?? absent.blockRecordsMax,
    quota: { kind: quotaKind(decoded.quotaType), bytes: safe(decoded.quotaSize) ?? absent.quotaBytes },
  }
}

function decode(bytes: Uint8Array): ReturnType<typeof message.decode> {
  try {
    return message.decode(bytes)
  } catch (cause) {
    throw new StorageError('ERR_CORRUPT', 'bucket settings do not decode', {}, cause)
  }
}

function quotaKind(number: number | null | undefined): BucketSettings['quota']['kind'] {
  return number === quotaNumbers.fifo ? 'fifo' : number === quotaNumbers.hard ? 'hard' : 'none'
}

/** Limits beyond 2^53 bytes are no limits. */
function safe(value: number | null | undefined): number | undefined {
  return value === null || value === undefined ? undefined : Math.min(value, Number.MAX_SAFE_INTEGER)
}
