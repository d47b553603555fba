import { randomUUID } from 'node:crypto'
import { NodeFileSystem } from '../fs/node/node-file-system.ts'
import { systemClock } from '../fs/system-clock.ts'
import { OffsetLedger } from '../ledger/offset-ledger.ts'
import {
  openDirectory,
  readCompanion,
  requireDirectory,
  Storage,
  type RecordReader,
  type StorageOptions,
} from '../storage/index.ts'

/** Reads a directory without lock or write, also while `sediment run` writes it. */
export async function withReader<Result>(
  dataPath: string,
  use: (reader: RecordReader) => Promise<Result>,
): Promise<Result> {
  const fs = await NodeFileSystem.open()
  try {
    return await use(await openDirectory(fs, dataPath, systemClock))
  } finally {
    await fs.close()
  }
}

/** What is known of offsets, and of which cluster. Without lock or write, also while `sediment run` writes it. */
export async function readLedger(
  dataPath: string,
): Promise<{ readonly ledger: OffsetLedger; readonly clusterId: string | undefined }> {
  const fs = await NodeFileSystem.open()
  try {
    const ledger = new OffsetLedger()
    return { ledger, ...(await readCompanion(fs, dataPath, ledger)) }
  } finally {
    await fs.close()
  }
}

/**
 * Opens a directory that exists, for itself alone.
 * @param bucketSettings of buckets that are made meanwhile
 * @throws {StorageError} `ERR_LOCKED` while `sediment run` writes it
 */
export async function withStore<Result>(
  dataPath: string,
  use: (storage: Storage, ledger: OffsetLedger) => Promise<Result>,
  bucketSettings?: StorageOptions['bucketSettings'],
): Promise<Result> {
  const fs = await NodeFileSystem.open()
  try {
    // Opening a store makes a missing directory; here that would hide a mistyped path.
    await requireDirectory(fs, dataPath)
    // The ledger rides in the log: who opens the store must carry it on.
    const companion = new OffsetLedger()
    const storage = await Storage.open({
      dataPath,
      fs,
      clock: systemClock,
      randomUuid: randomUUID,
      companion,
      ...(bucketSettings && { bucketSettings }),
    })
    try {
      return await use(storage, companion)
    } finally {
      await storage.close()
    }
  } finally {
    await fs.close()
  }
}
