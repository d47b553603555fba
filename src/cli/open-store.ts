import { randomUUID } from 'node:crypto'
import type { FileSystem } from '../fs/file-system.ts'
import { NodeFileSystem } from '../fs/node/node-file-system.ts'
import { systemClock } from '../fs/system-clock.ts'
import { readFormerRows } from '../ledger/former-rows.ts'
import type { Gap } from '../ledger/gap.ts'
import { readGaps, type DamagedGaps, type GapDisk } from '../ledger/gap-files.ts'
import type { LedgerRow } from '../ledger/ledger-codec.ts'
import { OffsetLedger } from '../ledger/offset-ledger.ts'
import {
  companionDirectory,
  hasRemovals,
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

/** All gaps of a row, ascending, in pieces; what cannot be read of them is left out, and said once. */
export type ReadGaps = (
  row: LedgerRow,
  onDamaged: (damaged: DamagedGaps) => void,
) => AsyncIterable<readonly Gap[]>

/** What a partition was before its offsets began anew, each time; what cannot be read is left out, and said. */
export type ReadFormer = (
  row: LedgerRow,
  onDamaged: (damaged: DamagedGaps) => void,
) => Promise<readonly LedgerRow[]>

/** What is known of offsets, and of which cluster. Without lock or write, also while `sediment run` writes it. */
export async function withLedger<Result>(
  dataPath: string,
  use: (
    ledger: OffsetLedger,
    gapsOf: ReadGaps,
    clusterId: string | undefined,
    formerOf: ReadFormer,
  ) => Promise<Result>,
): Promise<Result> {
  const fs = await NodeFileSystem.open()
  try {
    const ledger = new OffsetLedger()
    const { clusterId } = await readCompanion(fs, dataPath, ledger)
    const disk = gapDisk(fs, dataPath)
    const formerOf: ReadFormer = (row, onDamaged) => readFormerRows(row, ledger.former, disk, onDamaged)
    return await use(ledger, gapReader(disk), clusterId, formerOf)
  } finally {
    await fs.close()
  }
}

/** `withLedger`, for whoever asks for no gaps. */
export function readLedger(
  dataPath: string,
): Promise<{ readonly ledger: OffsetLedger; readonly clusterId: string | undefined }> {
  return withLedger(dataPath, (ledger, _, clusterId) => Promise.resolve({ ledger, clusterId }))
}

function gapDisk(fs: FileSystem, dataPath: string): GapDisk {
  return { fs, directory: companionDirectory(dataPath) }
}

function gapReader(disk: GapDisk): ReadGaps {
  return (row, onDamaged) => readGaps(row, disk, onDamaged)
}

/** Whether records of the directory may have been removed or evicted. */
export async function mayHaveRemovals(dataPath: string, reader: RecordReader): Promise<boolean> {
  const buckets = new Set((await reader.entries()).map(({ bucket }) => bucket))
  const fs = await NodeFileSystem.open()
  try {
    return await hasRemovals(fs, dataPath, [...buckets])
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
  use: (storage: Storage, ledger: OffsetLedger, gapsOf: ReadGaps) => Promise<Result>,
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
      return await use(storage, companion, gapReader(gapDisk(fs, dataPath)))
    } finally {
      await storage.close()
    }
  } finally {
    await fs.close()
  }
}
