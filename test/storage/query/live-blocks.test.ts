import { describe, expect, it } from '@jest/globals'
import type { EntryName } from '../../../src/storage/record.ts'
import type { Storage } from '../../../src/storage/storage.ts'
import { SimulatedDisk } from '../../support/simulated-disk.ts'
import { contentsOf } from '../../support/storage/contents.ts'
import { StoreModel } from '../../support/storage/model.ts'
import { openStore, write } from '../../support/storage/store.ts'

/** Goal: an open store shows what it holds, whatever it showed before. Method: read, change, read again. */

const t0 = 1_750_000_000_000_000
const entry: EntryName = { bucket: 'kafka', entry: 'topic/0' }

describe('the read cache', () => {
  it('is not fooled by a WAL that grew to the same length again', async () => {
    const { fs } = new SimulatedDisk({ seed: 12 })
    const model = new StoreModel()
    const storage = await openStore(fs)
    const store = async (timestampUs: number): Promise<void> => {
      const one = write(entry, timestampUs, 'a')
      model.add(one)
      await storage.submit({ writes: [one] })
    }
    await store(t0)
    await store(t0 + 100)
    await storage.settle()
    await store(t0 + 1)
    expect(await contentsOf(storage)).toEqual(model.contents)

    expect(await storage.fold(entry, t0)).toBe(true)
    await store(t0 + 2)

    expect(await contentsOf(storage)).toEqual(model.contents)
    await storage.close()
  })

  it.each<[string, (storage: Storage) => Promise<unknown>]>([
    ['whose bucket was renamed', (storage) => storage.renameBucket(entry.bucket, 'archive')],
    ['whose entry was renamed', (storage) => storage.renameEntry(entry, 'archive')],
    ['whose entry was removed', (storage) => storage.removeEntry(entry)],
    [
      'that was removed',
      async (storage) => {
        await storage.removeRecords(entry, [BigInt(t0)])
        await storage.checkpoint()
      },
    ],
  ])('takes no block for one %s', async (_, leave) => {
    const { fs } = new SimulatedDisk({ seed: 12 })
    const storage = await openStore(fs)
    const show = async (): Promise<string | undefined> =>
      (await storage.get(entry, BigInt(t0)))?.labels.join('=')
    await storage.submit({ writes: [write(entry, t0, 'a', ['lot', '1'])] })
    expect(await show()).toBe('lot=1')

    await leave(storage)
    await storage.submit({ writes: [write(entry, t0, 'b', ['lot', '2'])] })

    expect(await show()).toBe('lot=2')
    await storage.close()
  })
})
