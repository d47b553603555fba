// Goal: the whole program pays what is owed: content that ReductStore cut off between a kill and a start is stored again.
// Method: `App` with the real engine on a simulated disk, killed, visited and started again; only Kafka is a fake.
import { afterEach, expect, it } from '@jest/globals'
import { App } from '../../src/app/app.ts'
import { silentLogger } from '../../src/base/logger.ts'
import { loadSettings } from '../../src/config/load.ts'
import { realClock } from '../support/real-clock.ts'
import { SimulatedDisk } from '../support/simulated-disk.ts'
import { FakeSource } from '../support/sink/fake-source.ts'
import { openStore } from '../support/storage/store.ts'
import { visitBlock } from '../support/storage/visit-block.ts'

const place = { topic: 'orders', partition: 0 }
const entry = { bucket: 'kafka', entry: 'orders/0' }
const firstUs = 1_700_000_000_000_000
const { settings: given } = loadSettings({
  env: {},
  set: ['dataPath=/data', 'kafka.topics=orders', 'http.port=0'],
})
/** All content goes home ahead of its frame, as only large content does else. */
const settings = { ...given, storage: { ...given.storage, directBytesMin: 1 } }

const open: App[] = []
afterEach(async () => {
  for (const app of open.splice(0)) await app.close(100).catch(() => {})
})

async function stored(app: App, records: number): Promise<void> {
  const endMs = performance.now() + 10_000
  while (app.status().totals.records < records) {
    if (performance.now() > endMs) throw new Error(`${records} records were not stored within 10 s`)
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}

async function start(disk: SimulatedDisk, source: FakeSource): Promise<App> {
  const app = new App(settings, {
    version: '9.9.9',
    clock: realClock,
    logger: () => silentLogger,
    openFileSystem: () => Promise.resolve(disk.fs),
    createSource: () => source,
  })
  open.push(app)
  await app.open()
  return app
}

it('reads content that a visit has cut off again from Kafka', async () => {
  const disk = new SimulatedDisk()
  const source = new FakeSource()
  source.produce(place, 10)
  const app = await start(disk, source)
  await source.assign(place)
  await source.deliver(place, 10)
  await stored(app, 10)
  disk.killProcess()
  await visitBlock(disk, 'kafka/orders/0', firstUs, (timestampUs) => timestampUs < firstUs + 4_000, true)
  disk.restart()

  const again = new FakeSource()
  again.produce(place, 12)
  const next = await start(disk, again)
  expect(await again.assign(place)).toMatchObject([{ kind: 'start', offset: 4 }])
  await again.deliver(place, 8)
  await stored(next, 2)
  await next.close()

  const storage = await openStore(disk.fs)
  const contents: string[] = []
  for await (const stored of storage.records(entry))
    contents.push(Buffer.from(await stored.read()).toString())
  expect(storage.owed).toEqual([])
  expect(contents).toEqual(Array.from({ length: 12 }, (_, offset) => `v${offset}`))
  await storage.close()
})
