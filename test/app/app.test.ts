import { afterEach, describe, expect, it } from '@jest/globals'
import { App, type AppParts } from '../../src/app/app.ts'
import type { Clock } from '../../src/base/clock.ts'
import { silentLogger } from '../../src/base/logger.ts'
import { errorToExit } from '../../src/cli/exit-codes.ts'
import { loadSettings } from '../../src/config/load.ts'
import type { Settings } from '../../src/config/settings.ts'
import type { KafkaSource } from '../../src/kafka/source.ts'
import { SourceError } from '../../src/kafka/source.ts'
import type { FileSystem } from '../../src/fs/file-system.ts'
import { openDirectory } from '../../src/storage/index.ts'
import { ManualClock } from '../support/manual-clock.ts'
import { realClock } from '../support/real-clock.ts'
import { SimulatedDisk } from '../support/simulated-disk.ts'
import { FakeSource } from '../support/sink/fake-source.ts'

const PLACE = { topic: 'orders', partition: 0 }
const { settings } = loadSettings({
  env: {},
  set: ['dataPath=/data', 'kafka.topics=orders', 'http.port=0', 'storage.logBytesCheckpoint=8MiB'],
})

async function page(app: App, path: string): Promise<{ status: number; body: string }> {
  const answer = await fetch(`${app.httpUrl}${path}`)
  return { status: answer.status, body: await answer.text() }
}

async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  const endMs = performance.now() + 10_000
  while (!(await condition())) {
    if (performance.now() > endMs) throw new Error('did not happen within 10 s')
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}

const STEP_MS = 100

/** Lets time pass until `work` is done. */
async function inTime<Result>(clock: ManualClock, work: Promise<Result>): Promise<Result> {
  let isDone = false
  const done = work.finally(() => (isDone = true))
  done.catch(() => {})
  while (!isDone) await clock.advance(STEP_MS)
  return done
}

describe('App', () => {
  const open: App[] = []
  const create = (
    disk: SimulatedDisk,
    source: KafkaSource,
    {
      clock = realClock,
      fs = disk.fs,
      settings: given = settings,
    }: { clock?: Clock; fs?: FileSystem; settings?: Settings } = {},
  ): App => {
    const parts: AppParts = {
      version: '9.9.9',
      clock,
      logger: () => silentLogger,
      openFileSystem: () => Promise.resolve(fs),
      createSource: () => source,
    }
    const app = new App(given, parts)
    open.push(app)
    return app
  }
  afterEach(async () => {
    for (const app of open.splice(0)) await app.close(100).catch(() => {})
  })

  it('stores what is delivered, shows it, commits it on close, and goes on from the ledger', async () => {
    const disk = new SimulatedDisk()
    const source = new FakeSource()
    const app = create(disk, source)
    await app.open()
    expect(await page(app, '/readyz')).toMatchObject({ status: 503 })
    source.produce(PLACE, 100)
    await source.assign(PLACE)
    await source.deliver(PLACE, 60)
    expect(await page(app, '/readyz')).toMatchObject({ status: 200 })
    expect(await page(app, '/livez')).toMatchObject({ status: 200 })
    await until(() => app.status().totals.records === 60)
    const { body } = await page(app, '/metrics')
    expect(body).toContain('\nsediment_stored_records_total 60\n')
    expect(body).toContain('\nsediment_received_records_total{topic="orders"} 60\n')
    expect(body).toContain('\nsediment_lag_records{topic="orders",partition="0"} 40\n')

    await source.deliver(PLACE, 30)
    await app.close()
    expect(app.status().phase).toBe('closed')
    expect(source.commits.at(-1)).toMatchObject({ offset: 90 })
    expect(source.isStopped).toBe(true)

    const reader = await openDirectory(disk.fs, '/data')
    expect(await reader.entries()).toMatchObject([{ bucket: 'kafka', entry: 'orders/0', recordCount: 90 }])

    const later = new FakeSource()
    later.produce(PLACE, 100)
    const again = create(disk, later)
    await again.open()
    await later.assign(PLACE)
    expect(later.positions.get('orders/0')).toBe(90)
  })

  it('ends with exit code 7 when a sync fails, commits nothing of it, and the next start is consistent', async () => {
    const disk = new SimulatedDisk()
    const source = new FakeSource()
    const app = create(disk, source)
    await app.open()
    source.produce(PLACE, 20)
    await source.assign(PLACE)
    await source.deliver(PLACE, 10)
    await until(() => app.status().totals.records === 10)
    disk.failNext('sync', { kind: 'log' })
    await source.deliver(PLACE, 10)
    const failure = await app.ended
    expect(errorToExit(failure).code).toBe(7)
    expect(await page(app, '/livez')).toMatchObject({ status: 503 })
    expect((await page(app, '/metrics')).body).toContain('\nsediment_store_poisoned 1\n')
    await app.close().catch(() => {})
    expect(source.commits.every(({ offset }) => offset <= 10)).toBe(true)

    // What was not acknowledged may be there or not, but then with the ledger's step over it.
    const later = new FakeSource()
    later.produce(PLACE, 20)
    const again = create(disk, later)
    await again.open()
    await later.assign(PLACE)
    const stored = (await (await openDirectory(disk.fs, '/data')).entries())[0]?.recordCount
    expect([10, 20]).toContain(stored)
    expect(later.positions.get('orders/0')).toBe(stored)
  })

  it('says which partitions have no leader, and reads the others', async () => {
    const disk = new SimulatedDisk()
    const reason = 'no leader'
    const source = Object.assign(new FakeSource(), {
      unreadable: [{ topic: 'orders', partition: 1, reason }],
    })
    const app = create(disk, source)
    await app.open()
    source.produce(PLACE, 10)
    await source.assign(PLACE)
    await source.deliver(PLACE, 10)
    await until(() => app.status().totals.records === 10)
    expect(await page(app, '/readyz')).toMatchObject({
      status: 503,
      body: expect.stringContaining('not readable (no leader): orders/1'),
    })
    expect(await page(app, '/livez')).toMatchObject({ status: 200 })
    source.unreadable = []
    expect(await page(app, '/readyz')).toMatchObject({ status: 200 })
  })

  it('waits for space before it joins the group, and then goes on by itself', async () => {
    const disk = new SimulatedDisk()
    const source = new FakeSource()
    const app = create(disk, source)
    disk.setFreeBytes(settings.storage.spaceReserveBytes)
    const opened = app.open()
    await until(() => app.status().phase === 'waiting-for-space')
    expect(await page(app, '/readyz')).toMatchObject({
      status: 503,
      body: expect.stringContaining('"paused"'),
    })
    expect(await page(app, '/livez')).toMatchObject({ status: 200 })
    expect(() => source.handler).toThrow()
    disk.setFreeBytes(10 * settings.storage.spaceReserveBytes)
    await opened
    expect(app.status().phase).toBe('running')
    expect(source.handler).toBeDefined()
  })

  it('can be closed while it waits, and leaves the directory to the next one', async () => {
    const disk = new SimulatedDisk()
    const app = create(disk, new FakeSource())
    disk.setFreeBytes(settings.storage.spaceReserveBytes)
    const opened = app.open()
    await until(() => app.status().phase === 'waiting-for-space')
    await app.close()
    await opened
    expect(app.status().phase).toBe('closed')
    disk.setFreeBytes(10 * settings.storage.spaceReserveBytes)
    const again = create(disk, new FakeSource())
    await again.open()
    expect(again.status().phase).toBe('running')
  })

  /** A disk that is read from only when `release` is called; `reached` tells that something waits for it. */
  const slowToRead = (
    disk: SimulatedDisk,
  ): { fs: FileSystem; reached: () => boolean; release: () => void } => {
    let isReached = false
    let release = (): void => {}
    const released = new Promise<void>((resolve) => (release = resolve))
    const fs = new Proxy(disk.fs, {
      get(target, name) {
        const member: unknown = Reflect.get(target, name)
        if (typeof member !== 'function') return member
        return (...given: unknown[]): unknown => {
          if (!/^(read|list)/.test(String(name))) return Reflect.apply(member, target, given)
          isReached = true
          return released.then((): unknown => Reflect.apply(member, target, given))
        }
      },
    })
    return { fs, reached: () => isReached, release }
  }

  it('can be closed while it recovers, and leaves the directory to the next one', async () => {
    const disk = new SimulatedDisk()
    const slow = slowToRead(disk)
    const app = create(disk, new FakeSource(), { fs: slow.fs })
    const opened = app.open()
    await until(slow.reached)
    const closed = app.close()
    slow.release()
    await Promise.all([opened, closed])
    expect(app.status().phase).toBe('closed')
    const again = create(disk, new FakeSource())
    await again.open()
    expect(again.status().phase).toBe('running')
  })

  it('is closed in time while a recovery takes longer, and closes the store once that is over', async () => {
    const clock = new ManualClock()
    const disk = new SimulatedDisk()
    const slow = slowToRead(disk)
    const app = create(disk, new FakeSource(), { clock, fs: slow.fs })
    const opened = app.open()
    await until(slow.reached)
    await inTime(clock, app.close(1000))
    expect(app.status().phase).toBe('closed')
    expect(clock.monotonicMs()).toBeLessThanOrEqual(1000 + STEP_MS)
    slow.release()
    await inTime(clock, opened)
    const opens = async (): Promise<boolean> =>
      create(disk, new FakeSource())
        .open()
        .then(
          () => true,
          () => false,
        )
    await until(opens)
    expect(open.at(-1)?.status().phase).toBe('running')
  })

  it('does not touch the directory when it was closed before', async () => {
    const disk = new SimulatedDisk()
    let found = (): void => {}
    const source = Object.assign(new FakeSource(), {
      probe: () => new Promise<void>((resolve) => (found = resolve)),
    })
    const app = create(disk, source)
    const opened = app.open()
    await until(() => app.httpUrl !== undefined)
    const closed = app.close()
    found()
    await Promise.all([opened, closed])
    expect(disk.operations).toBe(0)
  })

  const stopsWithinMs = 10_000
  it.each([
    ['brokers that never let it go', 'never', false],
    ['a disk that never answers again', 'at once', true],
    ['neither brokers nor disk answering', 'never', true],
  ] as const)('is closed within its deadline, with %s', async (_what, leaves, hangs) => {
    const clock = new ManualClock()
    const disk = new SimulatedDisk()
    let isHanging = false
    const fs = new Proxy(disk.fs, {
      get(target, name) {
        const member: unknown = Reflect.get(target, name)
        if (typeof member !== 'function') return member
        return (...given: unknown[]): unknown =>
          isHanging && /^(write|sync)/.test(String(name))
            ? new Promise(() => {})
            : Reflect.apply(member, target, given)
      },
    })
    const source = new FakeSource()
    if (leaves === 'never') source.stop = () => new Promise(() => {})
    const app = create(disk, source, { clock, fs })
    await inTime(clock, app.open())
    source.produce(PLACE, 20)
    await inTime(clock, source.assign(PLACE))
    await inTime(clock, source.deliver(PLACE, 10))
    isHanging = hangs
    if (hangs) await source.deliver(PLACE, 10)
    const startedMs = clock.monotonicMs()

    const closed = app.close(stopsWithinMs)
    await inTime(clock, closed)

    expect(clock.monotonicMs() - startedMs).toBeLessThanOrEqual(stopsWithinMs + STEP_MS)
    if (hangs) return
    const again = create(disk, new FakeSource())
    await again.open()
    expect(again.status().phase).toBe('running')
  })

  it('has the store closed although the drain used up all its time', async () => {
    const clock = new ManualClock()
    const disk = new SimulatedDisk()
    const source = new FakeSource()
    const app = create(disk, source, { clock })
    await inTime(clock, app.open())
    source.produce(PLACE, 20)
    await inTime(clock, source.assign(PLACE))
    await inTime(clock, source.deliver(PLACE, 10))
    source.commitError = new SourceError('ERR_BROKER', 'away')

    await inTime(clock, app.close(stopsWithinMs))

    const again = create(disk, new FakeSource())
    await again.open()
    expect(again.status().phase).toBe('running')
  })

  it('opens a store that is there while brokers are asked', async () => {
    const disk = new SimulatedDisk()
    const first = create(disk, new FakeSource())
    await first.open()
    await first.close()
    let answer = (): void => {}
    const source = Object.assign(new FakeSource(), {
      probe: () => new Promise<void>((resolve) => (answer = resolve)),
    })
    const app = create(disk, source)
    const before = disk.operations
    const opened = app.open()
    await until(() => disk.operations > before)
    expect(app.status().phase).toBe('opening')
    answer()
    await opened
    expect(app.status().phase).toBe('running')
  })

  it('tells what is wrong with a store that is there without waiting for brokers', async () => {
    const disk = new SimulatedDisk()
    await create(disk, new FakeSource()).open()
    const source = Object.assign(new FakeSource(), { probe: () => new Promise<void>(() => {}) })
    await expect(create(disk, source).open()).rejects.toMatchObject({ code: 'ERR_LOCKED' })
  })

  it('ends when the store fails while brokers are asked', async () => {
    const full = loadSettings({
      env: {},
      set: ['dataPath=/data', 'kafka.topics=orders', 'http.port=0', 'storage.bucket.blockRecordsMax=16'],
    }).settings
    const disk = new SimulatedDisk()
    const clock = new ManualClock()
    const source = new FakeSource()
    const first = create(disk, source, { settings: full })
    await first.open()
    source.produce(PLACE, 100)
    await source.assign(PLACE)
    await source.deliver(PLACE, 100)
    await until(() => first.status().totals.records === 100)
    disk.killProcess()
    const silent = Object.assign(new FakeSource(), { probe: () => new Promise<void>(() => {}) })
    const app = create(disk, silent, { settings: full, clock, fs: disk.restart() })
    const opened = app.open()
    opened.catch(() => {})
    disk.failNext('write', { kind: 'descriptor' })
    await expect(inTime(clock, opened)).rejects.toMatchObject({ code: 'ERR_POISONED' })
    expect(app.status().phase).toBe('failed')
  })

  it('leaves the disk alone when no broker answers', async () => {
    const disk = new SimulatedDisk()
    const source = Object.assign(new FakeSource(), {
      probe: () => Promise.reject(new SourceError('ERR_BROKER', 'nobody there')),
    })
    await expect(create(disk, source).open()).rejects.toMatchObject({ code: 'ERR_BROKER' })
    expect(disk.operations).toBe(0)
  })

  it('refuses a data path whose directory above is missing: exit code 2, one line that says what to do', async () => {
    const disk = new SimulatedDisk()
    const mistyped = { ...settings, dataPath: '/dtaa/sediment' }
    const failure = await create(disk, new FakeSource(), { settings: mistyped })
      .open()
      .catch((error: unknown) => error)
    expect(errorToExit(failure)).toEqual({
      code: 2,
      message:
        '/dtaa/sediment cannot be made: there is no /dtaa, make or mount it, or correct the path; give the data directory with --data or dataPath',
    })
    expect(await disk.fs.list('/dtaa')).toBeUndefined()
  })

  it('refuses a directory that another process has', async () => {
    const disk = new SimulatedDisk()
    await create(disk, new FakeSource()).open()
    const other = create(disk, new FakeSource())
    const failure = await other.open().catch((error: unknown) => error)
    expect(errorToExit(failure).code).toBe(5)
  })
})
