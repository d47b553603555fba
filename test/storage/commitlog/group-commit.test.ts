import { describe, expect, it } from '@jest/globals'
import { collectOnce } from '../../../src/base/first-collection.ts'
import { silentStorageObserver } from '../../../src/storage/observer.ts'
import type { EntryName } from '../../../src/storage/record.ts'
import type { Storage } from '../../../src/storage/index.ts'
import { SimulatedDisk } from '../../support/simulated-disk.ts'
import { openStore, write } from '../../support/storage/store.ts'

const t0 = 1_750_000_000_000_000
const entry: EntryName = { bucket: 'kafka', entry: 'topic/0' }

/** Hands over `count` submissions at once, each a group of its own. */
function submitMany(
  storage: Storage,
  count: number,
): { durable: Promise<void>[]; contents: WeakRef<Uint8Array>[] } {
  const durable: Promise<void>[] = []
  const contents: WeakRef<Uint8Array>[] = []
  for (let number = 0; number < count; number++) {
    const content = new Uint8Array(2000)
    contents.push(new WeakRef(content))
    durable.push(storage.submit({ writes: [{ ...write(entry, t0 + number), content }] }))
  }
  return { durable, contents }
}

describe('a store that is never idle', () => {
  it('lets go of what is durable while more is waiting', async () => {
    const { fs } = new SimulatedDisk({ seed: 31 })
    const storage = await openStore(fs, { limits: { groupBytesMax: 1000 } })
    const { durable, contents } = submitMany(storage, 120)
    let isAllDurable = false
    const all = Promise.all(durable).then(() => (isAllDurable = true))

    await durable[29]
    // A WeakRef that was just made keeps its target until the next turn of the event loop.
    await new Promise((resolve) => setImmediate(resolve))
    collectOnce()

    expect(isAllDurable).toBe(false)
    const kept = contents.slice(0, 20).filter((content) => content.deref() !== undefined)
    // One that happens to lie on the stack is no leak.
    expect(kept.length).toBeLessThan(5)
    await all
    await storage.close()
  })
})

describe('a group', () => {
  it('is closed by what its labels take, not by content alone', async () => {
    const { fs } = new SimulatedDisk({ seed: 32 })
    const sizes: number[] = []
    const storage = await openStore(fs, {
      limits: { groupBytesMax: 10_000 },
      observer: {
        ...silentStorageObserver,
        groupCommitted: ({ records }) => records > 0 && sizes.push(records),
      },
    })
    const label = 'v'.repeat(4000)
    await Promise.all(
      Array.from({ length: 20 }, (_, number) =>
        storage.submit({ writes: [write(entry, t0 + number, 'x', ['header', label])] }),
      ),
    )
    expect(Math.max(...sizes)).toBe(2)
    await storage.close()
  })

  it('that is larger than a frame buffer goes home through one buffer, whatever it holds', async () => {
    const { fs } = new SimulatedDisk({ seed: 33 })
    const allocated: number[] = []
    const allocate = fs.allocate.bind(fs)
    fs.allocate = (bytes) => {
      allocated.push(bytes)
      return allocate(bytes)
    }
    const limits = { groupBytesMax: 10_000, directBytesMin: 5_000 }
    const storage = await openStore(fs, { limits })
    const contentOf = (number: number): Uint8Array =>
      Uint8Array.from({ length: 70_001 + number }, (_, index) => (index * 7 + number) & 0xff)

    // Several at once, and small ones among them: two frames write at a time.
    await Promise.all(
      Array.from({ length: 12 }, (_, number) =>
        storage.submit({
          writes: [
            { ...write(entry, t0 + number * 10), content: contentOf(number) },
            write({ bucket: 'kafka', entry: 'small' }, t0 + number, `small ${number}`),
            { ...write(entry, t0 + number * 10 + 1), content: contentOf(number + 1000) },
          ],
        }),
      ),
    )

    expect(Math.max(...allocated)).toBeLessThanOrEqual(2 * limits.groupBytesMax + 8 * 4096)
    await storage.close()
    const reopened = await openStore(fs, { limits })
    for (let number = 0; number < 12; number++) {
      for (const [at, content] of [
        [number * 10, contentOf(number)],
        [number * 10 + 1, contentOf(number + 1000)],
      ] as const) {
        const record = await reopened.get(entry, BigInt(t0 + at))
        expect(Buffer.compare(await record!.read(), content)).toBe(0)
      }
    }
    await reopened.close()
  })
})
