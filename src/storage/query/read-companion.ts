import { loadCrc64 } from '../../base/crc64.ts'
import type { FileSystem } from '../../fs/file-system.ts'
import { StorageError } from '../errors.ts'
import type { LogCompanion } from '../options.ts'
import { storePaths } from '../paths.ts'
import { readCheckpoint } from '../recovery/recover.ts'
import { scanLog } from '../recovery/scan-log.ts'
import { readFormat } from '../store-files.ts'

/** A writer makes checkpoints and removes logs meanwhile; more often than so, and it is damage. */
const ATTEMPTS = 5

/**
 * Gives `companion` the value that checkpoint and log have, without lock or write; beside a live writer, that of one of
 * its last frames.
 *
 * @returns to which cluster the store belongs, `undefined` before its first start
 * @throws {StorageError} `ERR_NOT_A_STORE`, `ERR_FORMAT`; `ERR_CORRUPT` when checkpoint or log cannot be read
 */
export async function readCompanion(
  fs: FileSystem,
  dataPath: string,
  companion: LogCompanion,
): Promise<{ readonly clusterId: string | undefined }> {
  await loadCrc64()
  const paths = storePaths(dataPath)
  const format = await readFormat(fs, paths)
  if (format === undefined) {
    const why = `${dataPath} was not written by Sediment`
    throw new StorageError('ERR_NOT_A_STORE', why, { path: dataPath })
  }
  for (let attempt = 1; ; attempt++) {
    const checkpoint = await readCheckpoint(fs, paths)
    const { frames, damage } = await scanLog(fs, paths, checkpoint)
    if (damage.length === 0) {
      companion.restore(checkpoint.companion)
      for (const frame of frames) for (const delta of frame.deltas) companion.apply(delta)
      return { clusterId: format.clusterId }
    }
    if (attempt === ATTEMPTS) {
      throw new StorageError('ERR_CORRUPT', `${paths.root} is damaged: ${damage.join('; ')}`, {
        path: paths.root,
      })
    }
  }
}
