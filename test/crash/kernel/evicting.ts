import { randomUUID } from 'node:crypto'
import { mkdirSync, statfsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { EntryName, RecordWrite } from '../../../src/storage/index.ts'
import { built } from '../../bench/built.ts'
import { Random } from '../../support/random.ts'
import { command } from './scratch-disk.ts'

const PLACE_BYTES = 24 * 1024 * 1024
const QUOTA_BYTES = 8_000_000
/** What is free when the quota is full: the log at its largest, a checkpoint, and one block. */
const LEFT_BYTES = 4 * 1024 * 1024
const CONTENT_BYTES = 20_000
const GROUP_RECORDS = 5
/** So many times the quota goes through the bucket. */
const TURNS = 6
const t0 = 1_750_000_000_000_000
const entries: readonly EntryName[] = ['a', 'b/c', 'd'].map((entry) => ({ bucket: 'ring', entry }))

/**
 * A bucket with a FIFO quota on a small disk that others have filled (W11): writing goes on for ever by letting the oldest
 * blocks go, nothing else is lost, and the quota holds.
 *
 * @throws {Error}
 */
export async function evictOnFullDisk(folder: string, log: (line: string) => void): Promise<void> {
  const place = join(folder, 'ring')
  mkdirSync(place, { recursive: true })
  command('mount', '-t', 'tmpfs', '-o', `size=${PLACE_BYTES}`, 'none', place)
  try {
    await fillAndGoOn(place, log)
  } finally {
    command('umount', '-l', place)
  }
}

async function fillAndGoOn(place: string, log: (line: string) => void): Promise<void> {
  const { NodeFileSystem } = await built('fs/node/node-file-system')
  const { systemClock } = await built('fs/system-clock')
  const { Storage, openDirectory, silentStorageObserver, verifyDirectory } = await built('storage/index')
  const dataPath = join(place, 'data')
  const fs = await NodeFileSystem.open()
  let evicted = 0
  const open = (): ReturnType<typeof Storage.open> =>
    Storage.open({
      dataPath,
      fs,
      clock: systemClock,
      randomUuid: randomUUID,
      observer: { ...silentStorageObserver, blockEvicted: ({ records }) => (evicted += records) },
      limits: {
        groupBytesMax: 256 * 1024,
        logBytesCheckpoint: 1024 * 1024,
        logBytesMax: 2 * 1024 * 1024,
      },
      bucketSettings: () => ({
        blockBytesMax: 500_000,
        blockRecordsMax: 1_000,
        quota: { kind: 'fifo', bytes: QUOTA_BYTES },
      }),
    })
  const random = new Random(7)
  const contents = new Map<number, Uint8Array>()
  let next = 0
  try {
    let storage = await open()
    const write = async (): Promise<void> => {
      const writes = Array.from({ length: GROUP_RECORDS }, (): RecordWrite => {
        const timestampUs = t0 + next * 1000
        const content = random.bytes(CONTENT_BYTES)
        contents.set(timestampUs, content)
        const target = entries[next++ % entries.length] as EntryName
        return { target, timestampUs, labels: [], contentType: '', content }
      })
      await storage.submit({ writes })
    }
    while (evicted === 0) await write()
    await storage.checkpoint()
    const { bavail, bsize } = statfsSync(place)
    writeFileSync(join(place, 'ballast'), Buffer.alloc(Math.max(0, bavail * bsize - LEFT_BYTES)))
    let leastBytes = Infinity
    for (const end = next + (TURNS * QUOTA_BYTES) / CONTENT_BYTES; next < end;) {
      await write()
      leastBytes = Math.min(leastBytes, statfsSync(place).bavail * bsize)
      // A start on the full disk, every turn.
      if (next % (QUOTA_BYTES / CONTENT_BYTES) < GROUP_RECORDS) {
        await storage.close()
        storage = await open()
      }
    }
    const [usage] = storage.buckets()
    if (usage === undefined || usage.usedBytes > QUOTA_BYTES)
      throw new Error(`the bucket holds ${usage?.usedBytes} bytes, its quota is ${QUOTA_BYTES}`)
    await storage.close()

    const reader = await openDirectory(fs, dataPath)
    let found = 0
    let oldestUs = Infinity
    for (const entry of entries) {
      for await (const record of reader.records(entry)) {
        const content = contents.get(Number(record.timestampUs))
        if (content === undefined || Buffer.compare(content, await record.read()) !== 0)
          throw new Error(`${entry.entry} at ${record.timestampUs} is not what was written`)
        oldestUs = Math.min(oldestUs, Number(record.timestampUs))
        found += 1
      }
    }
    if (found + evicted !== next)
      throw new Error(
        `${next} written, ${evicted} evicted, ${found} found: ${next - evicted - found} are lost`,
      )
    const { findings } = await verifyDirectory(fs, dataPath, { checkContent: true })
    if (findings.length > 0)
      throw new Error(findings.map(({ path, message }) => `${path}: ${message}`).join('; '))
    log(
      `a FIFO bucket on a full disk: ${next} written, ${evicted} evicted, ${found} there, none lost; ` +
        `${Math.round(leastBytes / 1024)} KiB free at the least`,
    )
  } finally {
    await fs.close()
  }
}
