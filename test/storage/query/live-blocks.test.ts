import { describe, expect, it } from '@jest/globals'
import type { EntryName } from '../../../src/storage/record.ts'
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
})
