import { dirname } from 'node:path'
import { crc32 } from '../base/crc32.ts'
import { atomicWrite } from '../fs/atomic-write.ts'
import {
  FileSystemError,
  isReadFailure,
  type DirectoryItem,
  type DirectoryLock,
  type FileSystem,
} from '../fs/file-system.ts'
import { CommitLog } from './commitlog/commit-log.ts'
import { encodeCheckpoint } from './commitlog/log-file.ts'
import { StorageError } from './errors.ts'
import { BucketPaths, VOLUME_DIRECTORY, storePaths, type StorePaths } from './paths.ts'

/** Layout version that this release writes; it reads this one only. */
const FORMAT_VERSION = 1

/** `.sediment/format`: JSON with a checksum (`crc32`), replaced atomically. Its presence says that log and checkpoint exist. */
export interface StoreFormat {
  readonly version: number
  readonly storeId: string
  readonly clusterId?: string
  readonly groupId?: string
}

/** `.sediment/owner`: JSON, for people and for the fence: a raised generation stops an older holder. */
interface StoreOwner {
  readonly generation: number
  readonly pid: number
  readonly startedAt: string
}

/**
 * `undefined` where there is no store yet.
 * @throws {StorageError} `ERR_FORMAT` when a newer release wrote it, `ERR_CORRUPT`
 */
export async function readFormat(fs: FileSystem, paths: StorePaths): Promise<StoreFormat | undefined> {
  const bytes = await fs.readFile(paths.format)
  if (bytes === undefined) {
    // Nobody becomes owner before `format` is durable. A new one would have a new store id, and the store's own
    // commits would look like those of another.
    if ((await fs.fileBytes(paths.owner)) === undefined) return undefined
    throw new StorageError('ERR_CORRUPT', `${paths.format} is missing`, { path: paths.format })
  }
  const { crc32: checksum, ...format } = {
    // `null` is JSON, too.
    ...parseJson<Partial<StoreFormat> & { crc32?: unknown }>(bytes, paths.format),
  }
  if (typeof format.version === 'number' && format.version > FORMAT_VERSION) {
    throw new StorageError(
      'ERR_FORMAT',
      `${paths.root} has layout version ${format.version}, this release reads up to ${FORMAT_VERSION}: use the release that wrote it, or a newer one`,
      { path: paths.format },
    )
  }
  if (!isFormat(format) || checksum !== checksumOf(format)) {
    throw new StorageError(
      'ERR_CORRUPT',
      `${paths.format} does not match its checksum: put it back from a backup`,
      { path: paths.format },
    )
  }
  return format
}

/**
 * Whatever looks into an existing directory asks this first.
 * @throws {StorageError} `ERR_NOT_A_STORE` when it holds other things and no bucket; a `FileSystemError` when only what
 *   cannot be read may be one
 */
async function requireNothingElse(fs: FileSystem, { root, sediment }: StorePaths): Promise<void> {
  const items = (await fs.list(root)) ?? []
  const visible = items.filter(({ name }) => !name.startsWith('.') && name !== VOLUME_DIRECTORY)
  if (visible.length === 0 || items.some(({ name }) => `${root}/${name}` === sediment)) return
  let unreadable: FileSystemError | undefined
  for (const { name } of visible) {
    try {
      if ((await fs.fileBytes(new BucketPaths(root, name).settings)) !== undefined) return
    } catch (error) {
      if (!isReadFailure(error)) throw error
      unreadable ??= error
    }
  }
  if (unreadable !== undefined) throw unreadable
  const why = `${root} holds other things (${visible[0]!.name}) and no bucket`
  throw new StorageError('ERR_NOT_A_STORE', why, { path: root })
}

/**
 * For whoever makes a store only of a directory that is there: a path that was mistyped makes none.
 * @throws {StorageError} as `requireNothingElse`; `ERR_NOT_A_STORE` when there is no directory
 */
export async function requireDirectory(fs: FileSystem, dataPath: string): Promise<void> {
  if ((await fs.list(dataPath)) === undefined)
    throw new StorageError('ERR_NOT_A_STORE', `there is no directory ${dataPath}`, { path: dataPath })
  await requireNothingElse(fs, storePaths(dataPath))
}

/**
 * For whoever looks at a store: a directory with nothing of one is a mistyped path, or a volume that is not mounted, and no
 * clean store. @throws {StorageError} as `requireDirectory`; `ERR_NOT_A_STORE` when nothing is there
 */
export async function requireStore(fs: FileSystem, dataPath: string): Promise<void> {
  await requireDirectory(fs, dataPath)
  const { sediment, folder } = storePaths(dataPath)
  const items = (await fs.list(dataPath)) ?? []
  const isOfStore = ({ name }: DirectoryItem): boolean =>
    [sediment, folder].includes(`${dataPath}/${name}`) || (!name.startsWith('.') && name !== VOLUME_DIRECTORY)
  if (items.some(isOfStore)) return
  throw new StorageError('ERR_NOT_A_STORE', `${dataPath} is empty: there is no store in it`, {
    path: dataPath,
  })
}

/**
 * Makes the data directory where it is missing, never the one above it: that could be a volume not mounted yet.
 * @throws {StorageError} `ERR_NOT_A_STORE` when something else is there: nothing is written into it
 */
export async function makeRoot(fs: FileSystem, paths: StorePaths): Promise<void> {
  const { root } = paths
  const refused = (why: string, cause?: unknown): StorageError =>
    new StorageError('ERR_NOT_A_STORE', `${root} ${why}`, { path: root }, cause)
  const items = await fs.list(root)
  if (items !== undefined) return requireNothingElse(fs, paths)
  if ((await fs.fileBytes(root)) !== undefined) throw refused('is a file, not a directory')
  try {
    await fs.makeDirectory(root)
  } catch (error) {
    if (!(error instanceof FileSystemError) || error.code !== 'ERR_NOT_FOUND') throw error
    throw refused(
      `cannot be made: there is no ${dirname(root)}, make or mount it, or correct the path`,
      error,
    )
  }
}

export async function writeFormat(fs: FileSystem, paths: StorePaths, format: StoreFormat): Promise<void> {
  const text = JSON.stringify({ ...format, crc32: checksumOf(format) })
  await atomicWrite(fs, paths.format, 'log', Buffer.from(`${text}\n`))
}

/**
 * Makes `.sediment/` with an empty log and checkpoint; `format` comes last, so that an interrupted start is begun
 * anew. Nothing can have been acknowledged before `format` exists.
 */
export async function initializeStore(
  fs: FileSystem,
  paths: StorePaths,
  storeId: string,
): Promise<StoreFormat> {
  await requireSpace(fs, paths, 0)
  await fs.makeDirectory(paths.logDirectory)
  await fs.makeDirectory(paths.quarantine)
  await CommitLog.begin(fs, paths, 0, 1, { sequence: 0, chain: 0n })
  const checkpoint = {
    firstLog: 1,
    sequence: 0,
    chain: 0n,
    generation: 0,
    companion: undefined,
    openBlocks: [],
    waiting: [],
  }
  await atomicWrite(fs, paths.checkpoint, 'log', encodeCheckpoint(checkpoint))
  await fs.syncDirectories([paths.root])
  const format = { version: FORMAT_VERSION, storeId }
  await writeFormat(fs, paths, format)
  return format
}

/** What any start writes at least: a log, a checkpoint, an index. */
const OPENING_BYTES = 4 * 1024 * 1024

/** @throws {StorageError} `ERR_NO_SPACE` when `bytes` and what any start needs do not fit */
export async function requireSpace(fs: FileSystem, paths: StorePaths, bytes: number): Promise<void> {
  const free = await fs.freeSpace(paths.root)
  if (free.bytes >= bytes + OPENING_BYTES) return
  throw new StorageError(
    'ERR_NO_SPACE',
    `${paths.root} has ${free.bytes} bytes free, opening needs ${bytes + OPENING_BYTES}: free some and start again`,
    { path: paths.root },
  )
}

/** @throws {StorageError} `ERR_LOCKED` with what the owner file says */
export async function lockStore(fs: FileSystem, paths: StorePaths): Promise<DirectoryLock> {
  const lock = await fs.lock(paths.lock)
  if (lock !== undefined) return lock
  const owner = await fs.readFile(paths.owner)
  const who = owner === undefined ? 'another process' : Buffer.from(owner).toString().trim()
  throw new StorageError(
    'ERR_LOCKED',
    `${paths.root} is in use by ${who}: stop it, or choose another directory`,
    {
      path: paths.lock,
    },
  )
}

/** The generation of the last opener; 0 for a new store. */
export async function readGeneration(fs: FileSystem, paths: StorePaths): Promise<number> {
  const bytes = await fs.readFile(paths.owner)
  if (bytes === undefined) return 0
  try {
    const { generation } = parseJson<Partial<StoreOwner>>(bytes, paths.owner)
    return typeof generation === 'number' && Number.isSafeInteger(generation) && generation > 0
      ? generation
      : 0
  } catch {
    // The checkpoint has the generation too; this copy only fences and informs.
    return 0
  }
}

/** @throws {StorageError} `ERR_LOCKED` when another process has opened the directory since `generation` did */
export async function requireOwner(fs: FileSystem, paths: StorePaths, generation: number): Promise<void> {
  const current = await readGeneration(fs, paths)
  if (current <= generation) return
  throw new StorageError(
    'ERR_LOCKED',
    `${paths.root} was taken over by another process (generation ${current})`,
    {
      path: paths.owner,
    },
  )
}

export async function writeOwner(
  fs: FileSystem,
  paths: StorePaths,
  generation: number,
  nowUs: number,
): Promise<void> {
  const owner: StoreOwner = { generation, pid: process.pid, startedAt: new Date(nowUs / 1000).toISOString() }
  await atomicWrite(fs, paths.owner, 'log', Buffer.from(`${JSON.stringify(owner)}\n`))
}

/** Turns what the disk refused while opening into an error that says what to do. */
export function openingError(error: unknown, dataPath: string): unknown {
  if (!(error instanceof FileSystemError)) return error
  if (error.code === 'ERR_READ_ONLY') {
    return new StorageError(
      'ERR_READ_ONLY',
      `${dataPath} cannot be written: check owner, mode and mount`,
      { path: error.path },
      error,
    )
  }
  if (error.code === 'ERR_NO_SPACE') {
    return new StorageError(
      'ERR_NO_SPACE',
      `${dataPath} has no space left to open the store: free some and start again`,
      { path: error.path },
      error,
    )
  }
  return error
}

function isFormat(format: Partial<StoreFormat>): format is StoreFormat {
  return format.version === FORMAT_VERSION && typeof format.storeId === 'string'
}

/** CRC-32 of the other keys, in the order in which they stand. */
function checksumOf(format: StoreFormat): number {
  return crc32(JSON.stringify(format))
}

function parseJson<T>(bytes: Uint8Array, path: string): T {
  try {
    return JSON.parse(Buffer.from(bytes).toString()) as T
  } catch (cause) {
    throw new StorageError('ERR_CORRUPT', `${path} is not JSON`, { path }, cause)
  }
}
