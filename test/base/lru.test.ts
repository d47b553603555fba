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
    expect([...lru.entries()]).toEqual([
      ['a', 4],
      ['c', 4],
    ])
  })

  it('does not take a peek for a use', () => {
    const { lru, evicted } = make(8)
    lru.set('a', 4)
    lru.set('b', 4)
    expect(lru.peek('a')).toBe(4)
    lru.set('c', 4)
    expect(evicted).toEqual(['a'])
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

  it('does not call what was deleted or cleared evicted', () => {
    const { lru, evicted } = make(10)
    lru.set('a', 4)
    expect([lru.delete('a'), lru.delete('a')]).toEqual([true, false])
    lru.set('b', 4)
    lru.clear()
    expect([lru.size, lru.bytes, evicted]).toEqual([0, 0, []])
  })

  it('holds its budget and counts its bytes after any steps', () => {
    const steps = fc.array(fc.tuple(fc.constantFrom('a', 'b', 'c', 'd'), fc.integer({ min: -1, max: 10 })), {
      maxLength: 30,
    })
    fc.assert(
      fc.property(steps, (all) => {
        const { lru } = make(10)
        for (const [key, bytes] of all) {
          if (bytes < 0) lru.delete(key)
          else lru.set(key, bytes)
          expect(lru.bytes).toBe([...lru.entries()].reduce((sum, [, value]) => sum + value, 0))
          expect(lru.bytes).toBeLessThanOrEqual(10)
        }
      }),
    )
  })
})
