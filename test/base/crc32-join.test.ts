import { describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import { crc32 } from '../../src/base/crc32.ts'
import { joinCrc32 } from '../../src/base/crc32-join.ts'

describe('joinCrc32', () => {
  it('is the checksum of both parts together', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 2000 }), fc.uint8Array({ maxLength: 2000 }), (first, second) => {
        const together = crc32(Buffer.concat([first, second]))
        expect(joinCrc32(crc32(first), crc32(second), second.byteLength)).toBe(together)
      }),
    )
  })

  it.each([255, 256, 65_535, 65_536, 16_777_216 + 7])('joins behind %i bytes', (bytes) => {
    const second = new Uint8Array(bytes).fill(0x5a)
    const first = Buffer.from('before')
    const together = crc32(Buffer.concat([first, second]))
    expect(joinCrc32(crc32(first), crc32(second), bytes)).toBe(together)
  })
})
