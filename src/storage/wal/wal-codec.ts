import { crc64Into } from '../../base/crc64.ts'

/**
 * `<id>.wal`: entries, then the stop marker, then anything.
 * Entry: type (1 byte), payload length (u64 BE), payload, CRC-64 of all that (u64 BE).
 */
export const walEntryType = { writeRecord: 0, updateRecord: 1, removeBlock: 2, removeRecord: 3 } as const
export type WalEntryType = (typeof walEntryType)[keyof typeof walEntryType]

export const walStopMarker = 0xff
/** In front of the payload: type and length. */
export const walHeadBytes = 9
/** Behind the payload: the checksum. */
export const walTailBytes = 8

/**
 * Completes an entry whose payload already stands at `entryAtBytes + walHeadBytes` up to `payloadToBytes`: writes type,
 * length and CRC around it. The stop marker is the caller's. @returns the position after the entry
 */
export function finishWalEntry(
  target: Uint8Array,
  entryAtBytes: number,
  type: WalEntryType,
  payloadToBytes: number,
): number {
  const lengthBytes = payloadToBytes - entryAtBytes - walHeadBytes
  target[entryAtBytes] = type
  writeU64(target, entryAtBytes + 1, lengthBytes)
  crc64Into(target, payloadToBytes, target, entryAtBytes, payloadToBytes)
  return payloadToBytes + walTailBytes
}

/** One whole entry. */
export function encodeWalEntry(type: WalEntryType, payload: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(walHeadBytes + payload.byteLength + walTailBytes)
  bytes.set(payload, walHeadBytes)
  finishWalEntry(bytes, 0, type, walHeadBytes + payload.byteLength)
  return bytes
}

/** A whole WAL that says: this block is to be removed. */
export function removalIntent(): Uint8Array {
  const entry = encodeWalEntry(walEntryType.removeBlock, new Uint8Array(0))
  return Uint8Array.of(...entry, walStopMarker)
}

export interface WalEntry {
  readonly type: WalEntryType
  readonly atBytes: number
  readonly payloadFromBytes: number
  readonly payloadToBytes: number
  /** Position after the entry. */
  readonly endBytes: number
}

/**
 * `marker`: the log is whole. Otherwise ReductStore takes nothing of it: `torn` = the bytes end inside an entry or
 * before a marker, `checksum`, `type` = neither entry nor marker, `length` = impossible for its type.
 */
type WalEnding = 'marker' | 'torn' | 'checksum' | 'type' | 'length' | 'limit'

export interface WalScan {
  readonly entries: readonly WalEntry[]
  /** End of the valid entries: where the stop marker stands when `ending` is `marker`. */
  readonly endBytes: number
  readonly ending: WalEnding
}

/**
 * The valid entries at the front. Never trusts a length: memory stays in proportion to `bytes`.
 * @param limitBytes stop before an entry that begins here or later, with ending `limit`
 */
export function scanWal(bytes: Uint8Array, limitBytes = Number.POSITIVE_INFINITY): WalScan {
  const entries: WalEntry[] = []
  const computed = new Uint8Array(walTailBytes)
  let at = 0
  const ended = (ending: WalEnding): WalScan => ({ entries, endBytes: at, ending })
  for (;;) {
    if (at >= limitBytes) return ended('limit')
    const type = bytes[at]
    if (type === undefined) return ended('torn')
    if (type === walStopMarker) return ended('marker')
    if (!isEntryType(type)) return ended('type')
    const room = bytes.byteLength - at - walHeadBytes - walTailBytes
    if (room < 0) return ended('torn')
    const lengthBytes = readU64(bytes, at + 1)
    if (!lengthFits(type, lengthBytes)) return ended('length')
    if (lengthBytes > room) return ended('torn')
    const payloadFromBytes = at + walHeadBytes
    const payloadToBytes = payloadFromBytes + lengthBytes
    crc64Into(computed, 0, bytes, at, payloadToBytes)
    if (!equalAt(bytes, payloadToBytes, computed)) return ended('checksum')
    const endBytes = payloadToBytes + walTailBytes
    entries.push({ type, atBytes: at, payloadFromBytes, payloadToBytes, endBytes })
    at = endBytes
  }
}

function isEntryType(type: number): type is WalEntryType {
  return type <= walEntryType.removeRecord
}

function lengthFits(type: WalEntryType, lengthBytes: number): boolean {
  if (type === walEntryType.removeBlock) return lengthBytes === 0
  if (type === walEntryType.removeRecord) return lengthBytes === 8
  return true
}

function equalAt(bytes: Uint8Array, atBytes: number, expected: Uint8Array): boolean {
  for (let index = 0; index < expected.byteLength; index++) {
    if (bytes[atBytes + index] !== expected[index]) return false
  }
  return true
}

/** Unsigned 64 bits, big-endian. @param value a safe integer */
function writeU64(target: Uint8Array, atBytes: number, value: number): void {
  writeU32(target, atBytes, Math.floor(value / 0x1_0000_0000))
  writeU32(target, atBytes + 4, value >>> 0)
}

/** Unsigned 64 bits, big-endian, rounded from 2^53 up. */
function readU64(bytes: Uint8Array, atBytes: number): number {
  return readU32(bytes, atBytes) * 0x1_0000_0000 + readU32(bytes, atBytes + 4)
}

function writeU32(target: Uint8Array, atBytes: number, value: number): void {
  target[atBytes] = value >>> 24
  target[atBytes + 1] = value >>> 16
  target[atBytes + 2] = value >>> 8
  target[atBytes + 3] = value
}

function readU32(bytes: Uint8Array, atBytes: number): number {
  return (
    (((bytes[atBytes] as number) << 24) |
      ((bytes[atBytes + 1] as number) << 16) |
      ((bytes[atBytes + 2] as number) << 8) |
      (bytes[atBytes + 3] as number)) >>>
    0
  )
}
