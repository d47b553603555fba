import { expect, it } from '@jest/globals'
import { SimulatedDisk } from '../support/simulated-disk.ts'
import { openStore, write } from '../support/storage/store.ts'

const t0 = 1_750_000_000_000_000

it('the list of a bucket is written once for all entries that are made together', async () => {
  const { fs } = new SimulatedDisk({ seed: 3 })
  const storage = await openStore(fs)
  await storage.submit({ writes: ['one', 'two'].map((bucket) => write({ bucket, entry: 'first' }, t0)) })
  const rename = fs.rename.bind(fs)
  const replaced: string[] = []
  fs.rename = async (from, to) => {
    if (to.endsWith('/.folder')) replaced.push(to)
    await rename(from, to)
  }
  const names = Array.from({ length: 40 }, (_, at) => ({ bucket: at % 2 ? 'one' : 'two', entry: `${at}` }))
  await storage.submit({ writes: names.map((name) => write(name, t0)) })
  expect(replaced.sort()).toEqual(['/data/one/.folder', '/data/two/.folder'])
  await storage.close()
})
