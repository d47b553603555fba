import type { EntryName } from './record.ts'

/** Every name in a data directory, both ways. Paths use `/`. */

const settingsName = 'bucket.settings'
const folderName = '.folder'
export const indexName = 'blocks.idx'
export const walDirectoryName = '.wal'
/** What file systems keep in the root of a volume. */
export const VOLUME_DIRECTORY = 'lost+found'
/** A segment of a name is a directory; file systems allow 255 bytes. */
export const segmentBytesMax = 255
/** Of all segments together: the system allows 4096 bytes for a path, with data directory, bucket and file. */
export const entryBytesMax = 2048
/** As versions of ReductStore before 1.19 called it. */
export const legacyWalDirectoryName = 'wal'

export class BucketPaths {
  readonly directory: string

  constructor(dataPath: string, bucket: string) {
    this.directory = `${dataPath}/${bucket}`
  }

  get settings(): string {
    return `${this.directory}/${settingsName}`
  }

  /** Names of the bucket's entries. */
  get folder(): string {
    return `${this.directory}/${folderName}`
  }
}

export class EntryPaths {
  readonly directory: string

  constructor(dataPath: string, name: EntryName) {
    this.directory = `${dataPath}/${name.bucket}/${name.entry}`
  }

  get index(): string {
    return `${this.directory}/${indexName}`
  }

  get walDirectory(): string {
    return `${this.directory}/${walDirectoryName}`
  }

  data(blockId: number | bigint): string {
    return `${this.directory}/${blockId}.blk`
  }

  descriptor(blockId: number | bigint): string {
    return `${this.directory}/${blockId}.meta`
  }

  /** ReductStore's copy of the data file without the records that it removes; it is renamed over the data file. */
  swap(blockId: number | bigint): string {
    return `${this.data(blockId)}.tmp`
  }

  /** The data file as ReductStore 1.20 and later compress it. */
  compressedData(blockId: number | bigint): string {
    return `${this.data(blockId)}.zst`
  }

  compressedDescriptor(blockId: number | bigint): string {
    return `${this.descriptor(blockId)}.zst`
  }

  wal(blockId: number | bigint): string {
    return `${this.directory}/${walDirectoryName}/${blockId}.wal`
  }
}

/**
 * Every file of a block but its WAL, with the compressed ones that ReductStore 1.20 and later may have made of them, and
 * what an interrupted fold has left.
 */
export function blockFiles(
  paths: EntryPaths,
  blockId: bigint,
): { readonly data: readonly string[]; readonly descriptors: readonly string[] } {
  const data = paths.data(blockId)
  const descriptor = paths.descriptor(blockId)
  return { data: [data, `${data}.zst`], descriptors: [descriptor, `${descriptor}.zst`, `${descriptor}.tmp`] }
}

export interface BlockFileName {
  readonly blockId: bigint
  readonly kind: 'data' | 'descriptor' | 'wal' | 'swap' | 'compressed-data' | 'compressed-descriptor'
}

const kindOfSuffix: Readonly<Record<string, BlockFileName['kind']>> = {
  blk: 'data',
  meta: 'descriptor',
  wal: 'wal',
  'blk.tmp': 'swap',
  'blk.zst': 'compressed-data',
  'meta.zst': 'compressed-descriptor',
}

/** `undefined` for any other name, padded or too large numbers included. */
export function parseBlockFileName(name: string): BlockFileName | undefined {
  const match = /^(0|[1-9][0-9]{0,19})\.([a-z.]+)$/.exec(name)
  const kind = kindOfSuffix[match?.[2] ?? '']
  if (match === null || kind === undefined) return undefined
  const blockId = BigInt(match[1] as string)
  return blockId > 0xffff_ffff_ffff_ffffn ? undefined : { blockId, kind }
}

/** `directory` and every one above it up to `root`: all must be synced before a name in `directory` is durable. */
export function directoriesUpTo(root: string, directory: string): string[] {
  const chain = [directory]
  for (let path = directory; path.length > root.length;) {
    path = path.slice(0, path.lastIndexOf('/'))
    chain.push(path)
  }
  return chain
}

/** The data directory itself, and Sediment's own files in a dot-directory, which ReductStore does not look into. */
export interface StorePaths {
  readonly root: string
  /** Names of the buckets. */
  readonly folder: string
  readonly sediment: string
  readonly format: string
  readonly lock: string
  readonly owner: string
  readonly logDirectory: string
  readonly checkpoint: string
  /** The companion's own files: what its value in the checkpoint leaves out. */
  readonly gaps: string
  readonly quarantine: string
  /** Blocks written aside, whole, until a frame gives them their place. */
  readonly staged: string
  /** JSON: directories that a rename or removal may leave empty. */
  readonly moving: string
  /** JSON: records have been removed, evicted or moved since. */
  readonly removals: string
  /** JSON: records whose content ReductStore has cut off. */
  readonly owed: string
  /** JSON: blocks whose data file is made before any frame names them. */
  readonly ahead: string
}

export function storePaths(dataPath: string): StorePaths {
  const sediment = `${dataPath}/.sediment`
  return {
    root: dataPath,
    folder: `${dataPath}/${folderName}`,
    sediment,
    format: `${sediment}/format`,
    lock: `${sediment}/lock`,
    owner: `${sediment}/owner`,
    logDirectory: `${sediment}/log`,
    checkpoint: `${sediment}/checkpoint`,
    gaps: `${sediment}/gaps`,
    quarantine: `${sediment}/quarantine`,
    staged: `${sediment}/staged`,
    moving: `${sediment}/moving`,
    removals: `${sediment}/removals`,
    owed: `${sediment}/owed`,
    ahead: `${sediment}/ahead`,
  }
}

/** Where a companion's own files are. */
export function companionDirectory(dataPath: string): string {
  return storePaths(dataPath).gaps
}

const REMOVED_PREFIX = 'removed-'

/** Where a bucket or entry is that was removed, until nothing is left of it. */
export function removedPath({ sediment }: StorePaths, number: number): string {
  return `${sediment}/${REMOVED_PREFIX}${number}`
}

export function isRemovedName(name: string): boolean {
  return name.startsWith(REMOVED_PREFIX)
}

/** Whether something of this name in `.sediment` is ours, leftovers of a replacement too. */
export function isOwnName(name: string): boolean {
  return (
    /^(format|lock|owner|checkpoint|log|gaps|quarantine|staged|moving|removals|owed|ahead)(\.tmp)?$/.test(
      name,
    ) ||
    isRemovedName(name) ||
    name.startsWith('new-')
  )
}

export function stagedFiles(
  paths: StorePaths,
  name: string,
): { readonly data: string; readonly descriptor: string } {
  return { data: `${paths.staged}/${name}.blk`, descriptor: `${paths.staged}/${name}.meta` }
}

export function logPath(logDirectory: string, logNumber: number): string {
  return `${logDirectory}/${logNumber}.log`
}

/** `undefined` for any other name. */
export function parseLogName(name: string): number | undefined {
  const match = /^(0|[1-9][0-9]{0,14})\.log$/.exec(name)
  return match === null ? undefined : Number(match[1])
}

export function isBucketName(name: string): boolean {
  return isSegment(name)
}

/** Last segment of an entry with attachments of the entry above it, or of the bucket. */
const ATTACHMENT_SEGMENT = '$meta'

/**
 * Segments of `[A-Za-z0-9_-]`, separated by `/`; the last one may be `$meta`. No segment is `wal`: ReductStore takes such
 * a directory for the log folder of versions before 1.19. Directories that are there may have longer names than these.
 */
export function isEntryName(name: string): boolean {
  const segments = name.split('/')
  if (segments.at(-1) === ATTACHMENT_SEGMENT) segments.pop()
  return name.length <= entryBytesMax && segments.every((segment) => isSegment(segment) && segment !== 'wal')
}

/** Attachments are hidden from lists, counted in sizes, and never evicted (format 1.3). */
export function isAttachment({ entry }: Pick<EntryName, 'entry'>): boolean {
  return entry === ATTACHMENT_SEGMENT || entry.endsWith(`/${ATTACHMENT_SEGMENT}`)
}

/** Where the attachments of an entry are, or, without one, those of the bucket. */
export function attachmentsOf(bucket: string, entry: string | undefined): EntryName {
  return { bucket, entry: entry === undefined ? ATTACHMENT_SEGMENT : `${entry}/${ATTACHMENT_SEGMENT}` }
}

function isSegment(segment: string): boolean {
  return segment.length <= segmentBytesMax && /^[A-Za-z0-9_-]+$/.test(segment)
}
