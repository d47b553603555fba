import { describe, expect, it } from '@jest/globals'
import { decodeFolder, encodeFolder } from '../../../src/storage/codec/folder-codec.ts'
import { fromHex, toHex } from '../../support/bytes.ts'

describe('the folder codec', () => {
  it.each([
    [['bucket-1'], '0a140a086275636b65742d3112086275636b65742d31'],
    [['a', 'a/b'], '0a060a01611201610a0a0a03612f621203612f62'],
    [[], ''],
  ])('writes %j byte for byte', (names, hex) => {
    expect(toHex(encodeFolder(names))).toBe(hex)
    expect(decodeFolder(fromHex(hex))).toEqual(names)
  })

  it('calls a cut file corrupt', () => {
    expect(() => decodeFolder(fromHex('0a140a08'))).toThrow(expect.objectContaining({ code: 'ERR_CORRUPT' }))
  })
})
