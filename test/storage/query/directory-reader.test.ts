import { describe, expect, it } from '@jest/globals'
import type { FileSystem } from '../../../src/fs/file-system.ts'
import { openDirectory } from '../../../src/storage/query/directory-reader.ts'
import type { EntryName, RecordReader, TimeRange } from '../../../src/storage/record.ts'
import { SimulatedDisk } from '../../support/simulated-disk.ts'
import { openStore, write } from '../../support/storage/store.ts'

/** Goal: reading beside a writer takes nothing for damage. Method: the writer acts between two looks of the reader. */

const t0 = 1_750_000_000_000_000
const entry: EntryName = { bucket: 'kafka', entry: 'topic/0' }

/** `fs`, but `act` runs before the first call of `call` with a path that ends so. */
function interrupted(
  fs: FileSystem,
  call: 'list' | 'readFile',
  suffix: string,
  act: () => Promise<unknown>,
): FileSystem {
  let isDone = false
  return new Proxy(fs, {
    get(target, name) {
      const method = Reflect.get(target, name) as (...given: unknown[]) => unknown
      if (name !== call) return method.bind(target)
      return async (path: string) => {
        if (!isDone && path.endsWith(suffix)) {
          isDone = true
          await act()
        }
        return method.call(target, path)
      }
    },
  })
}

async function timesOf(reader: RecordReader, range?: TimeRange): Promise<number[]> {
  const times: number[] = []
  for await (const { timestampUs } of reader.records(entry, range)) times.push(Number(timestampUs) - t0)
  return times
}

describe('a reader beside a writer', () => {
  it('finds the records of a block that is folded after its index was read', async () => {
    const { fs } = new SimulatedDisk({ seed: 21 })
    const storage = await openStore(fs)
    await storage.submit({ writes: [write(entry, t0)] })
    await storage.submit({ writes: [write(entry, t0 + 1000)] })
    const reader = await openDirectory(
      interrupted(fs, 'list', '/.wal', () => storage.fold(entry, t0)),
      '/data',
    )

    expect(await timesOf(reader, { startUs: BigInt(t0 + 500) })).toEqual([1000])
    await storage.close()
  })

  it('reads a sealed block that takes a late record and is folded again', async () => {
    const { fs } = new SimulatedDisk({ seed: 22 })
    const storage = await openStore(fs)
    await storage.submit({ writes: [write(entry, t0), write(entry, t0 + 1000)] })
    await storage.settle()
    const reader = await openDirectory(
      interrupted(fs, 'readFile', '.meta', async () => {
        await storage.submit({ writes: [write(entry, t0 + 7)] })
        await storage.fold(entry, t0)
      }),
      '/data',
    )

    expect(await timesOf(reader)).toEqual([0, 7, 1000])
    await storage.close()
  })

  it('still says that a descriptor does not match', async () => {
    const { fs } = new SimulatedDisk({ seed: 23 })
    const storage = await openStore(fs)
    await storage.submit({ writes: [write(entry, t0)] })
    await storage.close()
    const path = `/data/kafka/topic/0/${t0}.meta`
    const bytes = Uint8Array.from((await fs.readFile(path)) ?? [])
    bytes[bytes.length - 1] = (bytes.at(-1) ?? 0) ^ 1
    await fs.writeSome('projection', [{ file: { path, kind: 'descriptor' }, atBytes: 0, bytes }])

    await expect(timesOf(await openDirectory(fs, '/data'))).rejects.toMatchObject({ code: 'ERR_CORRUPT' })
  })
})
