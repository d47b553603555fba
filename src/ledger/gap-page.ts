import { crc32 } from '../base/crc32.ts'
import type { Gap, GapClass } from './gap.ts'

/*
 * A page of gap ranges, 512 bytes, which a disk writes whole or not at all. Ranges ascend, from page to page too.
 * Integers are little-endian, `v` is a LEB128 varint.
 *
 *   magic u32 "SEDG" | crc32 u32 | page number u32 | ranges u16 | payload bytes u16 | first offset u64
 *   | per range: v (from - next of the range before) * 4 + class, v length - 1 | zeros
 *
 * In front of the first range lies the first offset. Classes: 0 control, 1 aborted, 2 compacted, 3 filtered. The CRC-32 is
 * of the name of the file's owner and of everything behind the CRC: a page at another place, or of another partition,
 * does not fit.
 */

export const PAGE_BYTES = 512
const HEADER_BYTES = 24
const MAGIC = 0x47444553
/** A range from here behind the one before begins another page: four times as much must be a safe integer. */
const DISTANCE_MAX = 2 ** 50

/** Values are on disk: never renumber, and there are no more than four. */
const PAGE_CLASSES: readonly GapClass[] = ['control', 'aborted', 'compacted', 'filtered']

/** Whose page it is, and which one. */
export interface PagePlace {
  readonly owner: string
  readonly pageNumber: number
}

/**
 * The first ranges, as many as fit.
 * @param ranges ascending, all of them benign; not empty
 */
export function encodePage(place: PagePlace, ranges: readonly Gap[]): { bytes: Uint8Array; ranges: number } {
  const bytes = new Uint8Array(PAGE_BYTES)
  const view = new DataView(bytes.buffer)
  const first = ranges[0]!.fromOffset
  let atBytes = HEADER_BYTES
  let position = first
  let taken = 0
  for (const { class: gapClass, fromOffset, nextOffset } of ranges) {
    if (fromOffset - position >= DISTANCE_MAX) break
    const distance = (fromOffset - position) * 4 + PAGE_CLASSES.indexOf(gapClass)
    const length = nextOffset - fromOffset - 1
    if (atBytes + varintBytes(distance) + varintBytes(length) > PAGE_BYTES) break
    atBytes = putVarint(bytes, putVarint(bytes, atBytes, distance), length)
    position = nextOffset
    taken += 1
  }
  view.setUint32(0, MAGIC, true)
  view.setUint32(8, place.pageNumber, true)
  view.setUint16(12, taken, true)
  view.setUint16(14, atBytes - HEADER_BYTES, true)
  view.setBigUint64(16, BigInt(first), true)
  view.setUint32(4, checksumOf(place.owner, bytes), true)
  return { bytes, ranges: taken }
}

/** `undefined` where the bytes are not that page, whole. */
export function decodePage({ owner, pageNumber }: PagePlace, bytes: Uint8Array): Gap[] | undefined {
  if (bytes.length !== PAGE_BYTES) return undefined
  const view = new DataView(bytes.buffer, bytes.byteOffset, PAGE_BYTES)
  const isWhole =
    view.getUint32(0, true) === MAGIC &&
    view.getUint32(4, true) === checksumOf(owner, bytes) &&
    view.getUint32(8, true) === pageNumber
  const endBytes = HEADER_BYTES + view.getUint16(14, true)
  if (!isWhole || endBytes > PAGE_BYTES) return undefined
  const gaps: Gap[] = []
  let position = Number(view.getBigUint64(16, true))
  let atBytes = HEADER_BYTES
  const varint = (): number => {
    let value = 0
    for (let scale = 1; atBytes < endBytes; scale *= 0x80) {
      const byte = bytes[atBytes++]!
      value += (byte & 0x7f) * scale
      if (byte < 0x80) return value
    }
    return NaN
  }
  for (let left = view.getUint16(12, true); left > 0; left--) {
    const distance = varint()
    const fromOffset = position + Math.floor(distance / 4)
    const nextOffset = fromOffset + varint() + 1
    if (!Number.isSafeInteger(nextOffset)) return undefined
    gaps.push({ class: PAGE_CLASSES[distance % 4]!, fromOffset, nextOffset })
    position = nextOffset
  }
  return gaps
}

function checksumOf(owner: string, bytes: Uint8Array): number {
  return crc32(bytes.subarray(8), crc32(owner))
}

function varintBytes(value: number): number {
  let bytes = 1
  for (let rest = value; rest >= 0x80; rest = Math.floor(rest / 0x80)) bytes += 1
  return bytes
}

function putVarint(bytes: Uint8Array, atBytes: number, value: number): number {
  let at = atBytes
  let rest = value
  for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) bytes[at++] = (rest % 0x80) | 0x80
  bytes[at++] = rest
  return at
}
