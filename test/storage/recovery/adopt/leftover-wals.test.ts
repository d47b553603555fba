import { describe, expect, it } from '@jest/globals'
import type { FileKind, FileSystem } from '../../../../src/fs/file-system.ts'
import { writeAll } from '../../../../src/fs/write-all.ts'
import { openDirectory } from '../../../../src/storage/query/directory-reader.ts'
import type { EntryName } from '../../../../src/storage/record.ts'
import { checkSettled } from '../../../support/independent/settled-check.ts'
import { SimulatedDisk } from '../../../support/simulated-disk.ts'
import { contentsOf } from '../../../support/storage/contents.ts'
import { StoreModel } from '../../../support/storage/model.ts'
import { independentFiles, openStore, write } from '../../../support/storage/store.ts'

/**
 * Goal: what a killed ReductStore leaves never stops what comes later. Method: WALs put beside a store of ours.
 */

const t0 = 1_750_000_000_000_000
const entry: EntryName = { bucket: 'kafka', entry: 'topic/0' }
const directory = '/data/kafka/topic/0'

describe('a WAL without a whole entry that ReductStore left', () => {
  it.each([
    { what: 'nothing', wal: [], hasDescriptor: false },
    { what: 'a stop marker', wal: [0xff], hasDescriptor: false },
    { what: 'zeros', wal: [0, 0, 0], hasDescriptor: false },
    { what: 'nothing, beside an empty descriptor', wal: [], hasDescriptor: true },
    { what: 'a stop marker, beside an empty descriptor', wal: [0xff], hasDescriptor: true },
    { what: 'a torn entry', wal: [0, 0, 0, 7], hasDescriptor: false },
  ])('with $what: later records are stored all the same', async ({ wal, hasDescriptor }) => {
    const { fs } = new SimulatedDisk({ seed: 13 })
    const model = new StoreModel()
    const before = await openStore(fs)
    const first = write(entry, t0)
    model.add(first)
    await before.submit({ writes: [first] })
    await before.close()
    const id = t0 + 1_000_000
    await put(fs, 'wal', `.wal/${id}.wal`, wal)
    if (hasDescriptor) await put(fs, 'descriptor', `${id}.meta`, [])

    const storage = await openStore(fs)
    for (const timestampUs of [id - 1, id, id + 1, id + 2_000_000]) {
      const one = write(entry, timestampUs)
      model.add(one)
      await storage.submit({ writes: [one] })
    }

    expect(await contentsOf(storage)).toEqual(model.contents)
    await storage.settle()
    await storage.close()
    expect(await fs.list(`${directory}/.wal`)).toEqual([])
    expect(await contentsOf(await openDirectory(fs, '/data'))).toEqual(model.contents)
  })

  it('leaves the block as its descriptor says', async () => {
    const { fs } = new SimulatedDisk({ seed: 14 })
    const model = new StoreModel()
    const before = await openStore(fs)
    const writes = [write(entry, t0), write(entry, t0 + 7)]
    for (const one of writes) model.add(one)
    await before.submit({ writes })
    await before.close()
    await put(fs, 'wal', `.wal/${t0}.wal`, [0xff])

    const storage = await openStore(fs)

    expect(await fs.list(`${directory}/.wal`)).toEqual([])
    await storage.close()
    expect(await contentsOf(await openDirectory(fs, '/data'))).toEqual(model.contents)
    expect(checkSettled(await independentFiles(fs))).toEqual([])
  })

  it('is kept aside when it holds bytes of an entry', async () => {
    const { fs } = new SimulatedDisk({ seed: 15 })
    const before = await openStore(fs)
    await before.submit({ writes: [write(entry, t0)] })
    await before.close()
    const torn = [0, 0, 0, 0, 0, 0, 0, 0, 200, 1, 2, 3]
    await put(fs, 'wal', `.wal/${t0 + 5}.wal`, torn)

    await (await openStore(fs)).close()

    const aside = (await fs.list('/data/.sediment/quarantine')) ?? []
    const name = `2-kafka%2Ftopic%2F0%2F.wal%2F${t0 + 5}.wal`
    expect(aside.map((item) => item.name)).toEqual([name, `${name}.reason`])
    const kept = await fs.readFile(`/data/.sediment/quarantine/${name}`)
    expect([...(kept ?? [])]).toEqual(torn)
  })
})

async function put(fs: FileSystem, kind: FileKind, name: string, bytes: readonly number[]): Promise<void> {
  const file = { path: `${directory}/${name}`, kind }
  await writeAll(fs, 'projection', [{ file, atBytes: 0, bytes: Uint8Array.from(bytes) }])
}
