import { describe, expect, it } from '@jest/globals'
import { silentLogger } from '../../src/base/logger.ts'
import { Committer, type OffsetToCommit } from '../../src/sink/committer.ts'
import { silentSinkObserver } from '../../src/sink/observer.ts'
import { ManualClock, settled } from '../support/manual-clock.ts'

/** A committer whose commits end when the test says so. */
function slowCommitter(): {
  committer: Committer
  sent: number[]
  finish: (() => void)[]
  noted: number[]
  durable: { offset: number }
} {
  const sent: number[] = []
  const noted: number[] = []
  const finish: (() => void)[] = []
  const durable = { offset: 10 }
  const committer = new Committer({
    source: {
      commit: (offsets) => {
        sent.push(offsets[0]!.offset)
        return new Promise((resolve) => finish.push(() => resolve([])))
      },
    },
    clock: new ManualClock(),
    observer: silentSinkObserver,
    logger: silentLogger,
    intervalMs: 1000,
    bytesMax: 1000,
    pending: (): OffsetToCommit[] => [{ topic: 't', partition: 0, offset: durable.offset, metadata: '' }],
    onCommitted: (offsets) => noted.push(offsets[0]!.offset),
  })
  return { committer, sent, finish, noted, durable }
}

describe('Committer', () => {
  it('has one commit under way at a time, and the next one says what is durable by then', async () => {
    const { committer, sent, finish, durable } = slowCommitter()
    committer.begin(1)
    const first = committer.commitNow()
    const second = committer.commitNow()
    await settled()
    durable.offset = 20
    expect(sent).toEqual([10])

    finish[0]!()
    await first
    await settled()
    expect(sent).toEqual([10, 20])

    finish[1]!()
    expect(await second).toBe('done')
  })

  it('does not take the answer to an older generation for one of the new', async () => {
    const { committer, finish, noted } = slowCommitter()
    committer.begin(1)
    const commit = committer.commitNow()
    await settled()

    committer.begin(2)
    finish[0]!()
    await commit

    expect(noted).toEqual([])
  })

  it('commits nothing without a generation', async () => {
    const { committer, sent } = slowCommitter()

    expect(await committer.commitNow()).toBe('stale')
    expect(sent).toEqual([])
  })
})
