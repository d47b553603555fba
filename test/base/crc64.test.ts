import { beforeAll, describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import { crc64, crc64Continue, crc64Into, loadCrc64 } from '../../src/base/crc64.ts'

/** CRC-64/XZ straight from its definition, bit by bit. */
function reference(bytes: Uint8Array): bigint {
  const all = 0xffff_ffff_ffff_ffffn
  let crc = all
  for (const byte of bytes) {
    crc ^= BigInt(byte)
    for (let bit = 0; bit < 8; bit++)
      crc = (crc & 1n) === 1n ? (crc >> 1n) ^ 0xc96c_5795_d787_0f42n : crc >> 1n
  }
  return crc ^ all
}

const text = (value: string): Uint8Array => new TextEncoder().encode(value)

describe('crc64', () => {
  beforeAll(loadCrc64)

  it.each([
    ['123456789', text('123456789'), 0x995d_c9bb_df19_39fan],
    ['nothing', text(''), 0n],
    ['nine zero bytes', new Uint8Array(9), 0xb2c1_b75f_3d61_3570n],
  ])('gives the published value of %s', (_, bytes, expected) => {
    expect(crc64(bytes)).toBe(expected)
  })

  it('agrees with the definition', () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => crc64(bytes) === reference(bytes)))
  })

  it('agrees with itself on inputs longer than one pass of the library', () => {
    const bytes = Uint8Array.from({ length: 40_000 }, (_, index) => (index * 31) >>> 3)
    expect(crc64(bytes)).toBe(reference(bytes))
    expect(crc64Continue(crc64(bytes.subarray(0, 16_384)), bytes.subarray(16_384))).toBe(reference(bytes))
  })

  it('continues from any earlier value', () => {
    const parts = fc.array(fc.uint8Array({ maxLength: 60 }), { maxLength: 8 })
    fc.assert(
      fc.property(parts, (all) => {
        const continued = all.reduce((crc, part) => crc64Continue(crc, part), 0n)
        return continued === reference(new Uint8Array(Buffer.concat(all)))
      }),
    )
  })

  it('is not disturbed by other computations in between', () => {
    const before = crc64(text('1234'))
    crc64(text('something else'))
    expect(crc64Continue(before, text('56789'))).toBe(0x995d_c9bb_df19_39fan)
  })

  it('writes eight big-endian bytes and nothing else, also into and from shared memory', () => {
    const source = new Uint8Array(new SharedArrayBuffer(20))
    source.set(text('xx123456789yy'))
    const target = new Uint8Array(new SharedArrayBuffer(10)).fill(7)
    crc64Into(target, 1, source, 2, 11)
    expect(Buffer.from(target).toString('hex')).toBe('07995dc9bbdf1939fa07')
  })
})
