import { crc32c } from '../../base/crc32.ts'
import { TooLargeError } from '../../base/too-large-error.ts'
import { SourceError, type AbsentOffsets, type DamagedBatch, type SourceRecord } from '../source.ts'
import { absentOffsets } from './absent-offsets.ts'
import { Codec, decompressedBytesMax } from './codecs.ts'
import type { Allowance } from './fetch-budget.ts'
import { errorText } from './internals.ts'
import {
  ATTRIBUTES_AT,
  codecOf,
  CRC_AT,
  damaged,
  decodeRecords,
  HEADER_BYTES,
  LAST_OFFSET_DELTA_AT,
  LEADER_EPOCH_AT,
  LENGTH_END,
  MAGIC_AT,
  payloadOf,
  readInt64,
  RECORD_COUNT_AT,
  type Batch,
} from './record-batch.ts'
import { rolesOf, type AbortedTransaction, type BatchRole } from './transactions.ts'

/** What a broker can have appended between reading its high watermark and its log; beyond, an offset is damaged. */
const RECORDS_PAST_HIGH_WATERMARK_MAX = 1_000_000

export interface DecodedRecordSet {
  readonly records: readonly SourceRecord[]
  /** One past the last offset that was looked at; the offset asked for when there was no whole batch. */
  readonly nextOffset: number
  /** Every offset from the one asked for up to `nextOffset` that `records` does not have: ascending. */
  readonly absent: readonly AbsentOffsets[]
  /** Of all that was looked at: it ends where the leader epoch changes. `undefined` when the broker has not said. */
  readonly leaderEpoch: number | undefined
  /** Memory that the records hold on to. */
  readonly bytes: number
  /** Whether any of it is that of `recordSet`: everything that was compressed has memory of its own. */
  readonly isView: boolean
  /** What is wrong with the batch at `nextOffset`; everything before it was decoded. */
  readonly error: SourceError | undefined
  /** That batch, where there is one. */
  readonly damaged: DamagedBatch | undefined
}

export interface DecodeLimits {
  /** A batch that becomes more than this is damaged. */
  readonly decompressedBytesMax: number
  /** Asked before a batch is decompressed; what it refuses is left for later, with all that follows. */
  readonly allowance?: Pick<Allowance, 'grant'>
}

/**
 * Decodes the record batches of one partition in a fetch response. Control records, aborted records and those below
 * `fetchOffset` are left out, and `nextOffset` counts them. An incomplete last batch is normal: it is asked for again.
 * Keys, values and headers are views into `recordSet`, or into what its batches decompress to.
 *
 * @param aborted in the order of the response: by first offset
 */
export async function decodeRecordSet(
  recordSet: Buffer,
  fetchOffset: number,
  highWatermark: number,
  aborted: readonly AbortedTransaction[],
  { decompressedBytesMax, allowance }: DecodeLimits,
): Promise<DecodedRecordSet> {
  const records: SourceRecord[] = []
  let nextOffset = fetchOffset
  let bytes = 0
  let isView = false
  const scanned = scanBatches(recordSet, fetchOffset, highWatermark)
  let error = scanned.error
  let { batches } = scanned
  let roles: readonly BatchRole[] = []
  try {
    roles = rolesOf(batches, aborted)
    const isWanted = (index: number): boolean => roles[index] === 'data'
    const needed = batches.map((batch, index) => (isWanted(index) ? decodedBytesMax(batch) : 0))
    const granted = allowance?.grant(needed) ?? batches.length
    if (granted < batches.length) {
      batches = batches.slice(0, granted)
      error = undefined
    }
    const payloads = batches.some((batch, index) => isWanted(index) && codecOf(batch) !== Codec.none)
      ? await Promise.allSettled(
          batches.map((batch, index) =>
            isWanted(index) ? payloadOf(batch, decompressedBytesMax) : Promise.resolve(undefined),
          ),
        )
      : undefined
    for (const [index, batch] of batches.entries()) {
      if (isWanted(index)) {
        const payload = payloads?.[index]
        if (payload?.status === 'rejected') {
          const what = payload.reason instanceof TooLargeError ? 'is not decompressed' : 'does not decompress'
          throw damaged(batch.baseOffset, `${what}: ${errorText(payload.reason)}`, payload.reason)
        }
        const content = payload?.value ?? batch.bytes.subarray(HEADER_BYTES)
        isView ||= codecOf(batch) === Codec.none
        if (codecOf(batch) !== Codec.none) bytes += content.length
        decodeRecords(batch, content, fetchOffset, records)
      }
      nextOffset = Math.max(nextOffset, batch.nextOffset)
    }
    if (nextOffset === fetchOffset && batches.length > 0) {
      throw damaged(batches[0]!.baseOffset, `ends before ${fetchOffset}, which was asked for`)
    }
  } catch (cause) {
    if (!(cause instanceof SourceError)) throw cause
    error = cause
    while (records.length > 0 && records.at(-1)!.offset >= nextOffset) records.pop()
  }
  const skipped = batches.flatMap(({ baseOffset, nextOffset: end }, index): AbsentOffsets[] => {
    const role = roles[index] ?? 'data'
    return role === 'data' ? [] : [{ why: role, fromOffset: baseOffset, nextOffset: end }]
  })
  const absent = absentOffsets({ fromOffset: fetchOffset, nextOffset, records, skipped })
  const leaderEpoch = batches[0]?.leaderEpoch ?? -1
  return {
    records,
    nextOffset,
    absent,
    leaderEpoch: leaderEpoch < 0 ? undefined : leaderEpoch,
    bytes: isView ? bytes + recordSet.length : bytes,
    isView,
    error,
    damaged: error && {
      ...damagedBatch(recordSet, nextOffset, highWatermark, batches, scanned.endBytes),
      ...(error.cause instanceof TooLargeError && { decompressedBytes: error.cause.neededBytes }),
    },
  }
}

/**
 * The batch behind everything that was decoded.
 * @param endBytes where the sound ones end
 */
function damagedBatch(
  recordSet: Buffer,
  position: number,
  highWatermark: number,
  batches: readonly Batch[],
  endBytes: number,
): DamagedBatch {
  const sound = batches.find(({ nextOffset }) => nextOffset > position)
  if (sound !== undefined) return { nextOffset: sound.nextOffset, bytes: Buffer.from(sound.bytes) }
  const rest = recordSet.subarray(endBytes)
  const lengthBytes = rest.length < HEADER_BYTES ? 0 : LENGTH_END + rest.readInt32BE(8)
  const isWhole = lengthBytes >= HEADER_BYTES && lengthBytes <= rest.length
  const bytes = Buffer.from(isWhole ? rest.subarray(0, lengthBytes) : rest)
  const behind = isWhole ? soundOffset(rest.subarray(lengthBytes)) : undefined
  const said =
    rest.length < HEADER_BYTES ? 0 : readInt64(rest, 0) + rest.readInt32BE(LAST_OFFSET_DELTA_AT) + 1
  const isPossible = said > position && said <= highWatermark
  return {
    nextOffset: behind !== undefined && behind > position ? behind : isPossible ? said : position + 1,
    bytes,
  }
}

/** Of the first batch, when it is whole and fits its checksum. */
function soundOffset(recordSet: Buffer): number | undefined {
  if (recordSet.length < HEADER_BYTES || recordSet[MAGIC_AT] !== 2) return undefined
  const end = LENGTH_END + recordSet.readInt32BE(8)
  if (end < HEADER_BYTES || end > recordSet.length) return undefined
  const isSound = crc32c(recordSet.subarray(ATTRIBUTES_AT, end)) === recordSet.readUInt32BE(CRC_AT)
  return isSound ? readInt64(recordSet, 0) : undefined
}

/** What a batch will be, by what it says of itself. */
function decodedBytesMax(batch: Batch): number {
  if (codecOf(batch) === Codec.none) return batch.bytes.length
  return decompressedBytesMax(codecOf(batch), batch.bytes.subarray(HEADER_BYTES))
}

/** The whole and sound batches of a record set, of one leader epoch, and what is wrong with the one after them. */
function scanBatches(
  recordSet: Buffer,
  fetchOffset: number,
  highWatermark: number,
): { batches: Batch[]; error: SourceError | undefined; endBytes: number } {
  const batches: Batch[] = []
  let error: SourceError | undefined
  let at = 0
  let expected = 0
  try {
    while (at + HEADER_BYTES <= recordSet.length) {
      const baseOffset = readInt64(recordSet, at)
      const magic = recordSet[at + MAGIC_AT]!
      if (magic !== 2) {
        throw damaged(
          baseOffset,
          magic < 2 ? `has the old message format ${magic}` : `has the format ${magic}`,
        )
      }
      const end = at + LENGTH_END + recordSet.readInt32BE(at + 8)
      if (end < at + HEADER_BYTES) throw damaged(baseOffset, 'has an impossible length')
      if (end > recordSet.length) break
      const batch = recordSet.subarray(at, end)
      if (crc32c(batch.subarray(ATTRIBUTES_AT)) !== batch.readUInt32BE(CRC_AT)) {
        throw damaged(baseOffset, 'does not match its CRC-32C')
      }
      const leaderEpoch = batch.readInt32BE(LEADER_EPOCH_AT)
      if (batches[0] !== undefined && batches[0].leaderEpoch !== leaderEpoch) break
      const lastOffsetDelta = batch.readInt32BE(LAST_OFFSET_DELTA_AT)
      const nextOffset = baseOffset + lastOffsetDelta + 1
      if (
        baseOffset < expected ||
        lastOffsetDelta < 0 ||
        nextOffset > highWatermark + RECORDS_PAST_HIGH_WATERMARK_MAX ||
        !Number.isSafeInteger(nextOffset)
      ) {
        throw damaged(baseOffset, 'has impossible offsets')
      }
      batches.push({
        bytes: batch,
        baseOffset,
        nextOffset,
        leaderEpoch,
        attributes: batch.readUInt16BE(ATTRIBUTES_AT),
        recordCount: batch.readInt32BE(RECORD_COUNT_AT),
      })
      expected = nextOffset
      at = end
    }
    if (at === 0 && recordSet.length > 0) {
      // A broker always sends the first batch whole, however large it is.
      throw damaged(fetchOffset, 'is longer than the response that should hold it')
    }
  } catch (cause) {
    if (!(cause instanceof SourceError)) throw cause
    error = cause
  }
  return { batches, error, endBytes: at }
}
