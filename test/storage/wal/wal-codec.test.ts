import { describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import { loadCrc64 } from '../../../src/base/crc64.ts'
import {
  finishWalEntry,
  scanWal,
  walEntryType,
  walHeadBytes,
  walStopMarker,
  walTailBytes,
  type WalEntryType,
} from '../../../src/storage/wal/wal-codec.ts'
import { fromHex, toHex } from '../../support/bytes.ts'

const record1 = fromHex('0a0310e807180a2001320a746578742f706c61696e')

function entry(type: WalEntryType, payload: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(walHeadBytes + payload.byteLength + walTailBytes)
  bytes.set(payload, walHeadBytes)
  expect(finishWalEntry(bytes, 0, type, walHeadBytes + payload.byteLength)).toBe(bytes.byteLength)
  return bytes
}

const concat = (...parts: Uint8Array[]): Uint8Array => new Uint8Array(Buffer.concat(parts))
const marker = Uint8Array.of(walStopMarker)

await loadCrc64()

describe('the WAL codec', () => {
  it.each([
    ['write record', walEntryType.writeRecord, record1, '000000000000000015', '672263ff89aeeef4'],
    ['update record', walEntryType.updateRecord, record1, '010000000000000015', '4ad4749674c7586c'],
    ['remove block', walEntryType.removeBlock, new Uint8Array(0), '020000000000000000', '7a189de1b569348c'],
    [
      'remove record',
      walEntryType.removeRecord,
      fromHex('0000000000000001'),
      '030000000000000008',
      '04f24b8cf6ece160',
    ],
  ])('writes %s as ReductStore does', (_, type, payload, head, crc) => {
    expect(toHex(entry(type, payload))).toBe(head + toHex(payload) + crc)
  })

  it('reads back what it wrote, and where', () => {
    const payloads = fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 6 })
    fc.assert(
      fc.property(payloads, fc.uint8Array({ maxLength: 20 }), (all, after) => {
        const bytes = concat(...all.map((payload) => entry(walEntryType.writeRecord, payload)), marker, after)
        const scan = scanWal(bytes)
        expect(scan.ending).toBe('marker')
        expect(bytes[scan.endBytes]).toBe(walStopMarker)
        expect(scan.entries.map((one) => bytes.slice(one.payloadFromBytes, one.payloadToBytes))).toEqual(all)
        expect(scan.entries.every((one) => one.type === walEntryType.writeRecord)).toBe(true)
        expect(scan.entries.at(-1)?.endBytes ?? 0).toBe(scan.endBytes)
      }),
    )
  })

  it('keeps the whole entries of a log cut anywhere', () => {
    const one = entry(walEntryType.writeRecord, record1)
    const bytes = concat(one, one, marker)
    for (let length = 0; length < bytes.byteLength; length++) {
      const scan = scanWal(bytes.subarray(0, length))
      expect(scan.ending).toBe('torn')
      expect(scan.entries.length).toBe(Math.floor(length / one.byteLength))
    }
  })

  it('never takes a changed byte for an entry', () => {
    const one = entry(walEntryType.writeRecord, record1)
    const bytes = concat(one, entry(walEntryType.removeRecord, fromHex('0000000000000001')), marker)
    for (let bit = 0; bit < bytes.byteLength * 8; bit++) {
      const damaged = bytes.slice()
      damaged[bit >>> 3] = (damaged[bit >>> 3] as number) ^ (1 << (bit & 7))
      const scan = scanWal(damaged)
      const whole = bit < one.byteLength * 8 ? 0 : bit < (bytes.byteLength - 1) * 8 ? 1 : 2
      expect([bit, scan.entries.length, scan.ending]).toEqual([
        bit,
        whole,
        expect.not.stringMatching('^marker$'),
      ])
    }
  })

  it.each([
    ['a preallocated file of zeros', new Uint8Array(1000), 'checksum'],
    ['nothing', new Uint8Array(0), 'torn'],
    ['only the marker', marker, 'marker'],
    ['another type', concat(Uint8Array.of(4), new Uint8Array(30)), 'type'],
    ['a length beyond the file', concat(fromHex('001000000000000000'), new Uint8Array(30)), 'torn'],
    ['a block removal with a payload', entry(walEntryType.removeBlock, record1), 'length'],
    ['a record removal that is not 8 bytes', entry(walEntryType.removeRecord, record1), 'length'],
  ])('says why it stopped: %s', (_, bytes, ending) => {
    expect(scanWal(bytes)).toEqual({ entries: [], endBytes: 0, ending })
  })

  it('stops at a limit', () => {
    const one = entry(walEntryType.writeRecord, record1)
    const scan = scanWal(concat(one, one, marker), one.byteLength)
    expect(scan).toMatchObject({ endBytes: one.byteLength, ending: 'limit' })
  })

  it('ends with a verdict on any bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => scanWal(bytes).endBytes <= bytes.byteLength),
    )
  })
})
