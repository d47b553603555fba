import { describe, expect, it } from '@jest/globals'
import { inParallel } from '../../src/base/in-parallel.ts'

/** Work that waits until the test ends it. */
function bench() {
  const begun: number[] = []
  const ends = new Map<number, { resolve: () => void; reject: (error: Error) => void }>()
  const work = (item: number): Promise<void> => {
    begun.push(item)
    return new Promise((resolve, reject) => ends.set(item, { resolve, reject }))
  }
  const settled = async (): Promise<void> => {
    for (let turn = 0; turn < 20; turn++) await Promise.resolve()
  }
  return { begun, ends, work, settled }
}

describe('inParallel', () => {
  it('keeps so many running, and begins the next where one ends', async () => {
    const { begun, ends, work, settled } = bench()
    const done = inParallel(2, [0, 1, 2, 3], work)
    expect(begun).toEqual([0, 1])
    ends.get(1)?.resolve()
    await settled()
    expect(begun).toEqual([0, 1, 2])
    for (const item of [0, 2]) ends.get(item)?.resolve()
    await settled()
    ends.get(3)?.resolve()
    await done
  })

  it('begins nothing after a failure, and rejects with it when nothing runs any more', async () => {
    const { begun, ends, work, settled } = bench()
    let outcome = 'running'
    const done = inParallel(3, [0, 1, 2, 3], work).catch((error: unknown) => {
      outcome = String(error)
    })
    ends.get(1)?.reject(new Error('first'))
    await settled()
    ends.get(0)?.reject(new Error('second'))
    await settled()
    expect([begun, outcome]).toEqual([[0, 1, 2], 'running'])
    ends.get(2)?.resolve()
    await done
    expect([begun, outcome]).toEqual([[0, 1, 2], 'Error: first'])
  })
})
