import { randomUUID } from 'node:crypto'
import { join } from 'node:path'
import type { EntryName, RecordReader, RecordWrite } from '../../../src/storage/index.ts'
import { built } from '../../bench/built.ts'
import { Random } from '../../support/random.ts'
import type { ScratchDisk } from './scratch-disk.ts'

const RECORDS = 40
const CONTENT_BYTES = 3_000
const MOVES_MAX = 60
const t0 = 1_750_000_000_000_000

/** Where the records may be, in turn: an entry with one below it, moved within its bucket and with it. */
const places: readonly EntryName[] = [
  { bucket: 'one', entry: 'a' },
  { bucket: 'one', entry: 'x/y' },
  { bucket: 'two', entry: 'x/y' },
  { bucket: 'two', entry: 'a' },
]

/**
 * Entries and buckets are renamed again and again while the power is cut, on a real file system: afterwards all records
 * are at one place, the one before or the one behind, whole.
 *
 * @throws {Error}
 */
export async function moveUntilCut(
  disk: ScratchDisk,
  {
    cuts,
    seed,
    log,
    signal,
  }: { cuts: number; seed: number; log: (line: string) => void; signal: AbortSignal },
): Promise<void> {
  const { NodeFileSystem } = await built('fs/node/node-file-system')
  const { systemClock } = await built('fs/system-clock')
  const { Storage, verifyDirectory } = await built('storage/index')
  const random = new Random(seed)
  let moves = 0
  let done = 0
  for (; done < cuts && !signal.aborted; done++) {
    disk.format()
    const fs = await NodeFileSystem.open()
    const open = (dataPath: string, on = fs): ReturnType<typeof Storage.open> =>
      Storage.open({
        dataPath,
        fs: on,
        clock: systemClock,
        randomUuid: randomUUID,
        bucketSettings: () => ({
          blockBytesMax: 40_000,
          blockRecordsMax: 8,
          quota: { kind: 'none', bytes: 0 },
        }),
      })
    const storage = await open(join(await disk.mount(), 'data'))
    const contents = new Map<number, Uint8Array>()
    const below = (place: EntryName): EntryName => ({ ...place, entry: `${place.entry}/below` })
    const first = places[0] as EntryName
    for (let index = 0; index < RECORDS; index++) {
      const write: RecordWrite = {
        target: index % 2 === 0 ? first : below(first),
        timestampUs: t0 + index,
        labels: [],
        contentType: '',
        content: random.bytes(CONTENT_BYTES),
      }
      contents.set(write.timestampUs, write.content)
      await storage.submit({ writes: [write] })
    }
    let at = 0
    let isCut = false
    const moving = (async (): Promise<void> => {
      for (let move = 0; move < MOVES_MAX && !isCut; move++) {
        const from = places[at % places.length] as EntryName
        const to = places[(at + 1) % places.length] as EntryName
        // From the last back to the first only the bucket differs.
        if (from.bucket === to.bucket) await storage.renameEntry(from, to.entry)
        else await storage.renameBucket(from.bucket, to.bucket)
        at += 1
        moves += 1
      }
    })()
    const failure = moving.then(
      () => undefined,
      (error: unknown) => error,
    )
    await new Promise((resolve) => setTimeout(resolve, random.below(250)))
    await disk.cut()
    isCut = true
    await failure
    await storage.close().catch(() => undefined)
    await fs.close()
    await disk.unmount()
    disk.copyMedium()
    const dataPath = join(disk.mountCopy(), 'data')
    const copyFs = await NodeFileSystem.open()
    try {
      const again = await open(dataPath, copyFs)
      const found = await whereabouts(again, places, below, contents)
      await again.close()
      if (found.length !== 1)
        throw new Error(`cut ${done + 1}: all records are at ${found.length} places: ${found.join(', ')}`)
      const { findings } = await verifyDirectory(copyFs, dataPath, { checkContent: true })
      if (findings.length > 0)
        throw new Error(
          `cut ${done + 1}: ${findings.map(({ path, message }) => `${path}: ${message}`).join('; ')}`,
        )
    } finally {
      await copyFs.close()
      disk.unmountCopy()
    }
  }
  log(
    `${disk.name}: ${moves} renames of entries and buckets, ${done} cuts; all records at one place each time`,
  )
}

/** The places that have all records, whole. @throws {Error} at a place that has only some */
async function whereabouts(
  reader: RecordReader,
  candidates: readonly EntryName[],
  below: (place: EntryName) => EntryName,
  contents: ReadonlyMap<number, Uint8Array>,
): Promise<string[]> {
  const whole: string[] = []
  for (const place of candidates) {
    let count = 0
    for (const name of [place, below(place)]) {
      for await (const record of reader.records(name)) {
        const content = contents.get(Number(record.timestampUs))
        if (content === undefined || Buffer.compare(content, await record.read()) !== 0)
          throw new Error(`${name.bucket}/${name.entry} at ${record.timestampUs} is not what was written`)
        count += 1
      }
    }
    if (count !== 0 && count !== contents.size)
      throw new Error(`${place.bucket}/${place.entry} has ${count} of ${contents.size} records`)
    if (count > 0) whole.push(`${place.bucket}/${place.entry}`)
  }
  return whole
}
