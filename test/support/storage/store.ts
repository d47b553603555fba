import type { Clock } from '../../../src/base/clock.ts'
import type { Logger } from '../../../src/base/logger.ts'
import type { FileSystem } from '../../../src/fs/file-system.ts'
import type { StorageObserver } from '../../../src/storage/observer.ts'
import type { LogCompanion, StorageLimits } from '../../../src/storage/options.ts'
import type { BucketSettings, EntryName, LabelList, RecordWrite } from '../../../src/storage/record.ts'
import { Storage } from '../../../src/storage/storage.ts'
import { mapFiles, type ReadOnlyFiles } from '../independent/files.ts'
import { ManualClock } from '../manual-clock.ts'

export interface StoreSetup {
  readonly dataPath?: string
  readonly clock?: Clock
  readonly observer?: StorageObserver
  readonly logger?: Logger
  readonly companion?: LogCompanion
  readonly limits?: Partial<StorageLimits>
  readonly settings?: Partial<BucketSettings>
}

/** Opens a store below `/data`; time stands still unless a clock is given. */
export function openStore(fs: FileSystem, setup: StoreSetup = {}): Promise<Storage> {
  const settings: BucketSettings = {
    blockBytesMax: 64_000_000,
    blockRecordsMax: 8192,
    quota: { kind: 'none', bytes: 0 },
    ...setup.settings,
  }
  return Storage.open({
    dataPath: setup.dataPath ?? '/data',
    fs,
    clock: setup.clock ?? new ManualClock(),
    randomUuid: () => '00000000-0000-4000-8000-000000000000',
    bucketSettings: () => settings,
    ...(setup.observer === undefined ? {} : { observer: setup.observer }),
    ...(setup.logger === undefined ? {} : { logger: setup.logger }),
    ...(setup.companion === undefined ? {} : { companion: setup.companion }),
    ...(setup.limits === undefined ? {} : { limits: setup.limits }),
  })
}

export function write(
  target: EntryName,
  timestampUs: number,
  content: string | Uint8Array = `content of ${timestampUs}`,
  labels: LabelList = [],
  contentType = 'text/plain',
): RecordWrite {
  return {
    target,
    timestampUs,
    labels,
    contentType,
    content: typeof content === 'string' ? Buffer.from(content) : content,
  }
}

/** All files below a directory as they are now, for readers that know nothing of the engine. */
export async function filesBelow(fs: FileSystem, directory = '/data'): Promise<Map<string, Uint8Array>> {
  const files = new Map<string, Uint8Array>()
  const walk = async (path: string): Promise<void> => {
    for (const { name, isDirectory } of (await fs.list(`${directory}${path}`)) ?? []) {
      const below = `${path}/${name}`
      if (isDirectory) {
        files.set(`${below.slice(1)}/`, new Uint8Array(0))
        await walk(below)
      } else {
        files.set(below.slice(1), (await fs.readFile(`${directory}${below}`)) ?? new Uint8Array(0))
      }
    }
  }
  await walk('')
  return files
}

export async function independentFiles(fs: FileSystem, directory?: string): Promise<ReadOnlyFiles> {
  return mapFiles(await filesBelow(fs, directory))
}
