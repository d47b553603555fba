import { describe, expect, it } from '@jest/globals'
import { openDirectory } from '../../../src/storage/query/directory-reader.ts'
import type { EntryName } from '../../../src/storage/record.ts'
import { SimulatedDisk } from '../../support/simulated-disk.ts'
import { contentsOf } from '../../support/storage/contents.ts'
import { StoreModel } from '../../support/storage/model.ts'
import { openStore, write } from '../../support/storage/store.ts'

/** Goal: folding one block hides no other. Method: a store on the simulated disk, read by its files alone. */

const t0 = 1_750_000_000_000_000
const entry: EntryName = { bucket: 'kafka', entry: 'topic/0' }

describe('a rewrite of the block index', () => {
  it('keeps a block that was read back and got no record', async () => {
    const { fs } = new SimulatedDisk({ seed: 11 })
    const model = new StoreModel()
    const storage = await openStore(fs, { settings: { blockRecordsMax: 10 } })
    const store = async (timestampUs: number): Promise<void> => {
      const one = write(entry, timestampUs)
      model.add(one)
      await storage.submit({ writes: [one] })
    }
    for (let index = 0; index < 10; index++) await store(t0 + index)
    await store(t0 + 10)
    await store(t0 + 1_000_000)
    await storage.settle()

    // No microsecond is free in the first block: it is read back, and the record goes into the second one.
    await store(t0 + 5)
    for (let index = 0; index < 60; index++) {
      await store(t0 + 100 + index)
      expect(await storage.fold(entry, t0 + 10)).toBe(true)
    }

    expect(await contentsOf(await openDirectory(fs, '/data'))).toEqual(model.contents)
    await storage.close()
  })
})
