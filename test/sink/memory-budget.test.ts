// Goal: memory is bounded, nobody starves, and one batch larger than everything still gets through.
import { describe, expect, it } from '@jest/globals'
import { MemoryBudget } from '../../src/sink/memory-budget.ts'
import { settled } from '../support/manual-clock.ts'

const never = new AbortController().signal

/** Asks and notes the answer when it comes. */
function ask(budget: MemoryBudget, bytes: number, signal = never): { granted: boolean | undefined } {
  const asked: { granted: boolean | undefined } = { granted: undefined }
  void budget.acquire(bytes, signal).then((granted) => (asked.granted = granted))
  return asked
}

describe('MemoryBudget', () => {
  it('gives until it is used up, and goes on when bytes come back', async () => {
    const budget = new MemoryBudget(100)
    const first = ask(budget, 60)
    const second = ask(budget, 40)
    const third = ask(budget, 1)
    await settled()
    expect([first.granted, second.granted, third.granted]).toEqual([true, true, undefined])

    budget.release(40)
    await settled()

    expect(third.granted).toBe(true)
    expect(budget.usedBytes).toBe(61)
  })

  it('lets a request larger than everything through alone', async () => {
    const budget = new MemoryBudget(100)
    ask(budget, 10)
    const large = ask(budget, 500)
    const after = ask(budget, 10)
    await settled()
    expect([large.granted, after.granted]).toEqual([undefined, undefined])

    budget.release(10)
    await settled()
    expect([large.granted, after.granted]).toEqual([true, undefined])
    expect(budget.usedBytes).toBe(500)

    budget.release(500)
    await settled()
    expect(after.granted).toBe(true)
  })

  it('does not let small requests overtake a large one', async () => {
    const budget = new MemoryBudget(100)
    ask(budget, 60)
    const large = ask(budget, 50)
    const small = ask(budget, 10)
    await settled()

    expect([large.granted, small.granted]).toEqual([undefined, undefined])
    expect(budget.waiting).toBe(2)
  })

  it('serves who is next when the first gives up', async () => {
    const budget = new MemoryBudget(100)
    const giveUp = new AbortController()
    ask(budget, 60)
    const large = ask(budget, 50, giveUp.signal)
    const small = ask(budget, 10)

    giveUp.abort()
    await settled()

    expect([large.granted, small.granted]).toEqual([false, true])
  })

  it('ends every wait at once when asked to', async () => {
    const budget = new MemoryBudget(100)
    ask(budget, 100)
    const waiting = [ask(budget, 1), ask(budget, 2)]

    budget.cancelWaiting()
    await settled()

    expect(waiting.map(({ granted }) => granted)).toEqual([false, false])
    expect(budget.usedBytes).toBe(100)
  })
})
