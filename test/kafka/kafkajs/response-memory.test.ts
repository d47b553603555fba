// Goal: memory of answers is used again when everybody has let go of it, and not before; what waits for use is bounded.
import { describe, expect, it } from '@jest/globals'
import { ResponseLease, ResponseMemory } from '../../../src/kafka/kafkajs/response-memory.ts'

const MIB = 1024 * 1024

describe('response memory', () => {
  it('is used again for an answer of about the same size', () => {
    const memory = new ResponseMemory()
    const first = memory.take(4 * MIB + 100)
    memory.giveBack(first.buffer)

    const second = memory.take(4 * MIB + 20_000)

    expect(second.buffer).toBe(first.buffer)
    expect([second.byteOffset, second.length]).toEqual([0, 4 * MIB + 20_000])
  })

  it('is not used twice at a time, nor for an answer that is larger or much smaller', () => {
    const memory = new ResponseMemory()
    const given = memory.take(4 * MIB)
    memory.giveBack(given.buffer)

    const [larger, smaller, same, another] = [5 * MIB, 2 * MIB, 4 * MIB, 4 * MIB].map((bytes) =>
      memory.take(bytes),
    )

    expect([larger, smaller, another].map((one) => one?.buffer === given.buffer)).toEqual([
      false,
      false,
      false,
    ])
    expect(same?.buffer).toBe(given.buffer)
  })

  it('is kept up to 32 MiB, and small answers get memory of their own', () => {
    const memory = new ResponseMemory()
    const taken = Array.from({ length: 5 }, () => memory.take(8 * MIB))
    for (const { buffer } of taken) memory.giveBack(buffer)
    const again = new Set(Array.from({ length: 5 }, () => memory.take(8 * MIB).buffer))
    const small = memory.take(1000)
    memory.giveBack(small.buffer)

    expect(taken.map(({ buffer }) => again.has(buffer))).toEqual([false, true, true, true, true])
    expect(memory.take(1000).buffer).not.toBe(small.buffer)
  })
})

describe('a lease', () => {
  it('gives back once, when the last holder has let go', () => {
    let given = 0
    const lease = new ResponseLease(() => (given += 1))
    const letGo = [lease.hold(), lease.hold(), lease.hold()]

    const seen = [0, 0, 1, 2, 1].map((holder) => {
      letGo[holder]?.()
      return given
    })

    expect(seen).toEqual([0, 0, 0, 1, 1])
  })
})
