import { describe, expect, it } from '@jest/globals'
import { FetchBudget } from '../../../src/kafka/kafkajs/fetch-budget.ts'

const MIB = 1024 * 1024

describe('a fetch budget', () => {
  it('has room for two answers at a time, of whichever brokers', () => {
    const budget = new FetchBudget(16 * MIB)
    const first = budget.open()!
    expect(first.askedBytes).toBe(8 * MIB)
    expect(budget.open()!.askedBytes).toBe(8 * MIB)
    expect(budget.open()).toBeUndefined()
    first.close()
    expect(budget.open()).toBeDefined()
  })

  it('asks for the next answer only when what is out with the handler leaves room for it', () => {
    const budget = new FetchBudget(16 * MIB)
    budget.hold(8 * MIB + 1)
    expect(budget.open()).toBeUndefined()
    budget.letGo(1)
    expect(budget.open()).toBeDefined()
  })

  it('is whole again when everything was let go', () => {
    const budget = new FetchBudget(16 * MIB)
    budget.hold(20 * MIB)
    expect(budget.open()).toBeUndefined()
    budget.letGo(20 * MIB)
    expect(budget.heldBytes).toBe(0)
    expect(budget.open()!.askedBytes).toBe(8 * MIB)
  })

  it('asks for less where answers grow, and for more again when they do not', () => {
    const budget = new FetchBudget(16 * MIB)
    const asked = (): number => {
      const answer = budget.open()!
      answer.close()
      return answer.askedBytes
    }
    budget.learn(1 * MIB, 8 * MIB)
    expect(asked()).toBe(MIB)
    for (let answers = 0; answers < 60; answers++) budget.learn(MIB, MIB)
    expect(asked()).toBe(4 * MIB)
    budget.learn(10, 10 * MIB)
    expect(asked()).toBe(64 * 1024)
  })

  it('lets one batch through that is larger than everything, and nothing after it', () => {
    const { allowance } = new FetchBudget(16 * MIB).open()!
    expect(allowance.grant([0, 40 * MIB, 1])).toBe(2)
    expect(allowance.grant([1])).toBe(0)
    expect(allowance.wantedBytes).toBe(40 * MIB + 2)
  })

  it('grants batches in order, never one behind a refused one', () => {
    const { allowance } = new FetchBudget(16 * MIB).open()!
    expect(allowance.grant([10 * MIB, 10 * MIB, 1])).toBe(1)
    // Of another partition: what comes later may not push in either.
    expect(allowance.grant([1])).toBe(0)
  })
})
