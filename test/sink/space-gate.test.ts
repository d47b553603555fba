import { describe, expect, it } from '@jest/globals'
import { SpaceGate } from '../../src/sink/space-gate.ts'
import { settled } from '../support/manual-clock.ts'

function gate() {
  const disk = { spareBytes: 1000, underwayBytes: 0 }
  const changes: boolean[] = []
  const made = new SpaceGate({
    spareBytes: () => Promise.resolve(disk.spareBytes),
    underwayBytes: () => disk.underwayBytes,
    resumeBytes: 500,
    onChange: (isClosed) => changes.push(isClosed),
  })
  return { gate: made, disk, changes }
}
const never = new AbortController().signal

describe('SpaceGate', () => {
  it('is open before the first look, and tells its changes only', async () => {
    const { gate: space, disk, changes } = gate()
    expect(space.isClosed).toBe(false)
    await space.look()
    disk.spareBytes = -1
    await space.look()
    await space.look()
    disk.spareBytes = 500
    await space.look()
    expect(changes).toEqual([true, false])
  })

  it('opens with some bytes to spare only, so that it does not flutter', async () => {
    const { gate: space, disk } = gate()
    disk.spareBytes = -1
    await space.look()
    disk.spareBytes = 499
    await space.look()
    expect(space.isClosed).toBe(true)
  })

  it('counts what is under way as not on the disk yet', async () => {
    const { gate: space, disk } = gate()
    disk.underwayBytes = 1001
    await space.look()
    expect(space.isClosed).toBe(true)
  })

  it('closes by what is taken between two looks, and by what is taken during one', async () => {
    const { gate: space } = gate()
    await space.look()
    space.take(1000)
    expect(space.isClosed).toBe(false)
    space.take(1)
    expect(space.isClosed).toBe(true)

    const { gate: other } = gate()
    const looked = other.look()
    other.take(1001)
    await looked
    expect(other.isClosed).toBe(true)
  })

  it('lets who waits go on when it opens, is told to, or the wait is given up', async () => {
    const { gate: space, disk } = gate()
    disk.spareBytes = -1
    await space.look()
    const woken: string[] = []
    const abort = new AbortController()
    void space.opened(abort.signal).then(() => woken.push('aborted'))
    void space.opened(never).then(() => woken.push('cancelled'))
    await settled()
    expect(woken).toEqual([])
    abort.abort()
    await settled()
    expect(woken).toEqual(['aborted'])
    space.cancelWaiting()
    await settled()
    expect(woken).toEqual(['aborted', 'cancelled'])

    void space.opened(never).then(() => woken.push('opened'))
    disk.spareBytes = 1000
    await space.look()
    await settled()
    expect(woken).toEqual(['aborted', 'cancelled', 'opened'])
  })
})
