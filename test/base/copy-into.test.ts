import { describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import { copyInto } from '../../src/base/copy-into.ts'

describe('copyInto', () => {
  const memory = fc.constantFrom(ArrayBuffer, SharedArrayBuffer)

  it('copies every byte, and no other, between all kinds of memory', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 300 }),
        fc.nat(9),
        fc.nat(9),
        memory,
        memory,
        (bytes, from, at, From, To) => {
          const source = new Uint8Array(new From(bytes.length + 20), from, bytes.length)
          source.set(bytes)
          const target = Buffer.from(new To(bytes.length + 20)).fill(0xee)
          copyInto(target, at, source)
          const behind = bytes.length + 20 - at - bytes.length
          expect([...target]).toEqual([
            ...new Array<number>(at).fill(0xee),
            ...bytes,
            ...new Array<number>(behind).fill(0xee),
          ])
        },
      ),
    )
  })

  it('refuses what does not fit', () => {
    const target = Buffer.alloc(8)
    expect(() => copyInto(target, 5, new Uint8Array(4))).toThrow(/out of range/)
    expect([...target]).toEqual([0, 0, 0, 0, 0, 0, 0, 0])
  })
})
