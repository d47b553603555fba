import { describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import { Lru } from '../../src/base/lru.ts'

describe('Lru', () => {
  const make = (bytesMax: number): { lru: Lru<string, number>; evicted: string[] } => {
    const evicted: string[] = []
    const lru = new Lru<string, number>({
      bytesMax,
      weigh: (value) => value,
      onEvict: (key) => evicted.push(key),
    })
    return { lru, evicted }
  }

  it('lets the least recently used items give way', () => {
    const { lru, evicted } = make(10)
    lru.set('a', 4)
    lru.set('b', 4)
    expect(lru.get('a')).toBe(4)
    lru.set('c', 4)
    expect(evicted).toEqual(['b'])
    expect([lru.get('a'), lru.get('b'), lru.get('c')]).toEqual([4, undefined, 4])
  })

  it('weighs an item again when it is set again', () => {
    const { lru, evicted } = make(10)
    lru.set('a', 4)
    lru.set('b', 4)
    lru.set('b', 7)
    expect(evicted).toEqual(['a'])
    expect(lru.bytes).toBe(7)
  })

  it('keeps the item just set, even when it is larger than everything allowed', () => {
    const { lru, evicted } = make(10)
    lru.set('a', 4)
    lru.set('b', 40)
    expect(evicted).toEqual(['a'])
    expect(lru.get('b')).toBe(40)
  })

  it('holds its budget and counts its bytes after any steps', () => {
    const steps = fc.array(fc.tuple(fc.constantFrom('a', 'b', 'c', 'd'), fc.nat(10)), {
      maxLength: 30,
    })
    fc.assert(
      fc.property(steps, (all) => {
        const { lru } = make(10)
        for (const [key, bytes] of all) {
          lru.set(key, bytes)
          expect(lru.bytes).toBeLessThanOrEqual(10)
        }
        const held = ['a', 'b', 'c', 'd'].map((key) => lru.get(key)).filter((bytes) => bytes !== undefined)
        expect(held).toHaveLength(lru.size)
        expect(lru.bytes).toBe(held.reduce((sum, bytes) => sum + bytes, 0))
      }),
    )
  })
})
