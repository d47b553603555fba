import { afterEach, expect, it } from '@jest/globals'
import { allocateAligned, isAligned } from '../../../src/fs/node/aligned-memory.ts'

const { WebAssembly: real } = globalThis as { WebAssembly?: unknown }

afterEach(() => {
  Object.assign(globalThis, { WebAssembly: real })
})

it('begins at a page', () => {
  const bytes = allocateAligned(100_000)
  expect(bytes.byteLength).toBe(100_000)
  expect([isAligned(bytes, 8192), isAligned(bytes, 8193), isAligned(bytes.subarray(1), 8193)]).toEqual([
    true,
    false,
    true,
  ])
})

it('is any memory once addresses are refused, which are not asked for again', () => {
  let asked = 0
  class Memory {
    constructor() {
      asked++
      throw new RangeError('could not allocate memory')
    }
  }
  Object.assign(globalThis, { WebAssembly: { Memory } })
  for (let round = 0; round < 3; round++) {
    const bytes = allocateAligned(100_000)
    expect(bytes.fill(7).byteLength).toBe(100_000)
    expect(isAligned(bytes, 0)).toBe(false)
  }
  expect(asked).toBe(1)
})
