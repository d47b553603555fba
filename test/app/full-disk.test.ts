import { afterEach, describe, expect, it } from '@jest/globals'
import { App } from '../../src/app/app.ts'
import { silentLogger } from '../../src/base/logger.ts'
import { errorToExit } from '../../src/cli/exit-codes.ts'
import { loadSettings } from '../../src/config/load.ts'
import { realClock } from '../support/real-clock.ts'
import { SimulatedDisk } from '../support/simulated-disk.ts'
import { FakeSource } from '../support/sink/fake-source.ts'

const PLACE = { topic: 'orders', partition: 0 }
const { settings } = loadSettings({
  env: {},
  set: ['dataPath=/data', 'kafka.topics=orders', 'http.port=0', 'storage.logBytesCheckpoint=8MiB'],
})
const { spaceReserveBytes, logBytesMax } = settings.storage
const FULL = /^[^\n]*the volume is full: free some space .*start again; acknowledged records are safe$/

async function until(condition: () => boolean): Promise<void> {
  const endMs = performance.now() + 10_000
  while (!condition()) {
    if (performance.now() > endMs) throw new Error('did not happen within 10 s')
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}

describe('App on a disk that gets full', () => {
  const open: App[] = []
  afterEach(async () => {
    for (const app of open.splice(0)) await app.close(100).catch(() => {})
  })

  /** Ten records are stored, ten more are there. */
  const running = async () => {
    const disk = new SimulatedDisk()
    const source = new FakeSource()
    const infos: { message: string; facts: object }[] = []
    const app = create(disk, source, (facts, message) => infos.push({ facts, message }))
    await app.open()
    source.produce(PLACE, 20)
    await source.assign(PLACE)
    await source.deliver(PLACE, 10)
    await until(() => app.status().totals.records === 10)
    const stopped = () => infos.find(({ message }) => message === 'stopped')?.facts
    return { disk, source, app, stopped }
  }
  const create = (
    disk: SimulatedDisk,
    source: FakeSource,
    info: (facts: object, message: string) => void = () => {},
  ): App => {
    const app = new App(settings, {
      version: '9.9.9',
      clock: realClock,
      logger: () => ({ ...silentLogger, info }),
      openFileSystem: () => Promise.resolve(disk.fs),
      createSource: () => source,
    })
    open.push(app)
    return app
  }
  const paused = (app: App) => () => app.status().sink?.paused.includes('disk-space') === true
  const nextStartsAt = async (disk: SimulatedDisk): Promise<number | undefined> => {
    disk.setFreeBytes(2 * (spaceReserveBytes + logBytesMax))
    const source = new FakeSource()
    source.produce(PLACE, 20)
    await create(disk, source).open()
    await source.assign(PLACE)
    return source.positions.get('orders/0')
  }

  it('ends with exit code 5 and says what to do when a write finds no space', async () => {
    const { disk, source, app } = await running()
    disk.failNext('write', { kind: 'log', code: 'ERR_NO_SPACE' })
    await source.deliver(PLACE, 10)
    expect(errorToExit(await app.ended)).toEqual({ code: 5, message: expect.stringMatching(FULL) })
    await app.close().catch(() => {})
    expect(await nextStartsAt(disk)).toBe(10)
  })

  it('does not fold when it is stopped while it is paused for space, and is whole', async () => {
    const { disk, source, app, stopped } = await running()
    disk.setFreeBytes(spaceReserveBytes)
    await until(paused(app))
    await app.close()
    expect(stopped()).toMatchObject({ isComplete: true, blocksUnfolded: 1 })
    expect(source.commits.at(-1)).toMatchObject({ offset: 10 })
    expect(await nextStartsAt(disk)).toBe(10)
  })

  it('ends a stop with exit code 5 when not even a checkpoint fits, with all committed', async () => {
    const { disk, source, app } = await running()
    disk.setFreeBytes(0)
    await until(paused(app))
    const failure: unknown = await app.close().catch((error: unknown) => error)
    expect(errorToExit(failure)).toEqual({ code: 5, message: expect.stringMatching(FULL) })
    expect(source.commits.at(-1)).toMatchObject({ offset: 10 })
    expect(await nextStartsAt(disk)).toBe(10)
  })

  it.each([
    [undefined, 0],
    [0, 1],
  ])('says when it has stopped, within %s ms, that %d blocks are not folded', async (deadlineMs, blocks) => {
    const { app, stopped } = await running()
    await app.close(deadlineMs)
    expect(stopped()).toMatchObject({ blocksUnfolded: blocks })
  })
})
