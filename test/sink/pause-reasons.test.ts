import { describe, expect, it } from '@jest/globals'
import { PauseReasons } from '../../src/sink/pause-reasons.ts'
import { settled } from '../support/manual-clock.ts'

const zero = { topic: 't', partition: 0 }
const one = { topic: 't', partition: 1 }

function tracked(): { pauses: PauseReasons; paused: Set<number> } {
  const paused = new Set<number>()
  const pauses = new PauseReasons((now, again) => {
    for (const { partition } of now) paused.add(partition)
    for (const { partition } of again) paused.delete(partition)
  })
  pauses.assign([zero, one])
  return { pauses, paused }
}

describe('PauseReasons', () => {
  it('lets a partition run only when its last reason is gone', () => {
    const { pauses, paused } = tracked()
    pauses.add('disk-space')
    pauses.add('operator', zero)
    expect([...paused]).toEqual([0, 1])

    pauses.remove('disk-space')
    expect([...paused]).toEqual([0])
    expect(pauses.reasonsOf(zero)).toEqual(['operator'])

    pauses.remove('operator', zero)
    expect([...paused]).toEqual([])
  })

  it('keeps reasons over an assignment and applies them to what is new', () => {
    const { pauses, paused } = tracked()
    pauses.assign([one])
    pauses.add('disk-space')
    expect([...paused]).toEqual([1])

    paused.clear()
    pauses.assign([zero, one])

    expect([...paused].sort()).toEqual([0, 1])
  })

  it('wakes who waits for a partition to run, and nobody else', async () => {
    const { pauses } = tracked()
    const woken: number[] = []
    pauses.add('operator', zero)
    pauses.add('operator', one)
    const { signal } = new AbortController()
    void pauses.flowing(zero, signal).then(() => woken.push(0))
    void pauses.flowing(one, signal).then(() => woken.push(1))

    pauses.remove('operator', one)
    await settled()

    expect(woken).toEqual([1])
  })

  it('ends waits when told to, without a change of the reasons', async () => {
    const { pauses } = tracked()
    pauses.add('disk-space')
    const abort = new AbortController()
    const aborted = pauses.flowing(zero, abort.signal)
    const cancelled = pauses.flowing(one, new AbortController().signal)

    abort.abort()
    await aborted
    pauses.cancelWaiting()
    await cancelled

    expect(pauses.isPaused(zero)).toBe(true)
  })
})
