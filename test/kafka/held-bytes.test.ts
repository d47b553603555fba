// Goal: the budget bounds memory also when records are small and their objects weigh more than their bytes.
import { describe, expect, it } from '@jest/globals'
import type { SourceRecord } from '../../src/kafka/source.ts'
import { heldBytes } from '../../src/kafka/held-bytes.ts'

const record = (offset: number): SourceRecord => ({
  offset,
  timestampMs: 0,
  timestampType: 'create',
  key: null,
  value: new Uint8Array(1),
  headers: [],
})

describe('heldBytes', () => {
  it('counts the objects of every record beside the bytes of the batch', () => {
    const records = Array.from({ length: 1000 }, (_, offset) => record(offset))
    expect(heldBytes({ bytes: 10_000, records })).toBeGreaterThanOrEqual(10_000 + 1000 * 300)
    expect(heldBytes({ bytes: 10_000, records: [] })).toBe(10_000)
  })
})
