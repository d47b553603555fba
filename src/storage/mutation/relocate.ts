import { dirname } from 'node:path'
import { inParallel } from '../../base/in-parallel.ts'
import type { FileSystem } from '../../fs/file-system.ts'
import { isOtherVolume } from '../../fs/move-file.ts'
import type { Catalogue } from '../catalogue.ts'
import type { Place } from '../damage.ts'
import { checkBucketName, checkEntryName } from '../catalogue.ts'
import type { Entry } from '../entry.ts'
import { StorageError } from '../errors.ts'
import {
  BucketPaths,
  EntryPaths,
  directoriesUpTo,
  entryBytesMax,
  removedPath,
  type StorePaths,
} from '../paths.ts'
import type { EntryName } from '../record.ts'
import type { DiscardedTrees } from './discarded-trees.ts'
import { noteDirectories, settleMove } from './moving.ts'
import type { MutationContext } from './mutations.ts'

const FOLDS_AT_ONCE = 16

export interface RelocationContext extends Pick<
  MutationContext,
  'fs' | 'paths' | 'exclusive' | 'close' | 'markRemoval'
> {
  readonly catalogue: Catalogue
  readonly trees: DiscardedTrees
  /** Inside an exclusive job: neither checkpoint nor log name anything cold afterwards. @throws when the store failed */
  readonly checkpoint: () => Promise<void>
  /** Removed blocks whose files stay for their readers go now. */
  readonly dropLingering: (entry: Entry) => Promise<void>
  /** How many records of the place are owed, as of now. */
  readonly owedIn: (place: Place) => Promise<number>
}

/**
 * Removes an entry with all below it, attachments too; a path that is only above entries counts. Durable when it
 * resolves; the space comes back in the background.
 * @throws {StorageError} `ERR_NOT_FOUND`, `ERR_INVALID` from one volume to another, `ERR_RECORD_STATE` while content is being uploaded into it, `ERR_CORRUPT` where
 *   something in it is damaged: nothing was changed
 */
export function removeEntry(context: RelocationContext, name: EntryName): Promise<void> {
  return relocate(context, name, undefined)
}

/**
 * As `removeEntry`, but all of it gets the path `to` in the same bucket; missing parents are made.
 * @throws {StorageError} `ERR_INVALID` for a name that is not allowed or lies inside the entry, `ERR_EXISTS` too, and
 *   `ERR_RECORD_STATE` also while content of it is owed
 */
export async function renameEntry(context: RelocationContext, name: EntryName, to: string): Promise<void> {
  checkEntryName({ bucket: name.bucket, entry: to })
  if (to === name.entry || to.startsWith(`${name.entry}/`)) {
    throw new StorageError(
      'ERR_INVALID',
      `${to} lies inside ${name.entry}: an entry cannot be moved there`,
      name,
    )
  }
  await relocate(context, name, { bucket: name.bucket, entry: to })
}

/** @throws {StorageError} as `removeEntry` */
export function removeBucket(context: RelocationContext, name: string): Promise<void> {
  return relocate(context, { bucket: name }, undefined)
}

/** @throws {StorageError} as `renameEntry` */
export async function renameBucket(context: RelocationContext, from: string, to: string): Promise<void> {
  checkBucketName(to)
  await relocate(context, { bucket: from }, { bucket: to })
}

/**
 * One rename of a directory is the whole change: until it is durable the old state counts, from then on the new one.
 * Before it every block is folded and a checkpoint written, so that recovery asks nothing of the old place.
 */
function relocate(context: RelocationContext, from: Place, to: Place | undefined): Promise<void> {
  const { fs, paths, catalogue, trees } = context
  return context.exclusive(async () => {
    const entries = catalogue.entriesBelow(from.bucket, from.entry)
    await requirePlaces(context, entries, from, to)
    await context.markRemoval()
    await inParallel(FOLDS_AT_ONCE, entries, async (entry) => {
      for (const block of [...entry.open.values()]) if (!(await context.close(block))) throw uploadRuns(entry)
    })
    for (const entry of entries) {
      entry.isGone = true
      entry.removals += 1
      await context.dropLingering(entry)
    }
    await context.checkpoint()

    const fromDirectory = directoryOf(paths, from)
    const toDirectory = to === undefined ? await freeRemovedPath(fs, paths) : directoryOf(paths, to)
    const parents = to?.entry === undefined ? [] : await missingParents(fs, paths, to as EntryName)
    const left = from.entry === undefined ? [] : plainParents(context, from as EntryName)
    await noteDirectories(fs, paths, [...parents, ...left, dirname(toDirectory), dirname(fromDirectory)])
    for (const path of parents) {
      await fs.makeDirectory(path)
      await fs.syncDirectories([dirname(path)])
    }
    try {
      await fs.rename(fromDirectory, toDirectory)
    } catch (error) {
      if (!isOtherVolume(error)) throw error
      for (const entry of entries) entry.isGone = false
      await settleMove(fs, paths)
      throw onOtherVolume(from, fromDirectory, toDirectory)
    }
    await settleMove(fs, paths)

    try {
      await followMove(context, entries, from, to)
    } catch (cause) {
      // The change is made: only an open can show it now, so this is no refusal.
      throw new Error(`${described(from)} was moved, and could not be read again`, { cause })
    }
    if (to === undefined) trees.discard(toDirectory)
  })
}

/** Memory and lists of names after the directory has its new place. */
async function followMove(
  { catalogue }: RelocationContext,
  entries: readonly Entry[],
  from: Place,
  to: Place | undefined,
): Promise<void> {
  if (from.entry === undefined) catalogue.forgetBucket(from.bucket)
  else catalogue.forget(entries)
  if (to !== undefined) {
    const names = entries.map((entry) => movedName(entry, from, to))
    await catalogue.loadMoved(to.bucket, names)
  }
  if (from.entry === undefined) await catalogue.writeFolder()
  else await catalogue.writeBucketFolder(from.bucket)
}

async function requirePlaces(
  { fs, paths, catalogue, owedIn }: RelocationContext,
  entries: readonly Entry[],
  from: Place,
  to: Place | undefined,
): Promise<void> {
  const isThere = from.entry === undefined ? catalogue.bucket(from.bucket) !== undefined : entries.length > 0
  const damage = catalogue.damageWithin(from) ?? (to && catalogue.damageOf(to))
  if (damage !== undefined) throw damage
  if (!isThere) throw new StorageError('ERR_NOT_FOUND', `there is no ${described(from)}`, from)
  if (to === undefined) return
  const directory = directoryOf(paths, to)
  const isFree = (await fs.list(directory)) === undefined && (await fs.fileBytes(directory)) === undefined
  if (!isFree)
    throw new StorageError('ERR_EXISTS', `there is a ${described(to)} already`, { ...to, path: directory })
  const isTooLong = (name: string): boolean => Buffer.byteLength(name) > entryBytesMax
  if (entries.some((entry) => isTooLong(movedName(entry, from, to))))
    throw new StorageError('ERR_INVALID', `${described(to)} would have entries with too long names`, to)
  const owed = await owedIn(from)
  // The list of them names places, and who brings them looks there.
  if (owed > 0) throw contentIsOwed(from, owed)
}

function uploadRuns({ name }: Entry): StorageError {
  return new StorageError(
    'ERR_RECORD_STATE',
    `${name.bucket}/${name.entry} has an upload that is not finished: try again when it is`,
    name,
  )
}

function contentIsOwed(place: Place, records: number): StorageError {
  return new StorageError(
    'ERR_RECORD_STATE',
    `${described(place)} has ${records} records whose content ReductStore has cut off: start 'sediment run', which brings it back, or remove these records`,
    { ...place },
  )
}

function onOtherVolume(place: Place, fromDirectory: string, toDirectory: string): StorageError {
  return new StorageError(
    'ERR_INVALID',
    `${described(place)} cannot be moved: ${fromDirectory} and ${toDirectory} are on different volumes; stop, and move or delete it by hand`,
    { ...place, path: fromDirectory },
  )
}

function described({ bucket, entry }: Place): string {
  return entry === undefined ? `bucket ${bucket}` : `entry ${bucket}/${entry}`
}

function directoryOf({ root }: StorePaths, { bucket, entry }: Place): string {
  return entry === undefined
    ? new BucketPaths(root, bucket).directory
    : new EntryPaths(root, { bucket, entry }).directory
}

function movedName({ name }: Entry, from: Place, to: Place): string {
  if (from.entry === undefined || to.entry === undefined) return name.entry
  return `${to.entry}${name.entry.slice(from.entry.length)}`
}

/** Those of an earlier removal may still be on their way. */
async function freeRemovedPath(fs: FileSystem, paths: StorePaths): Promise<string> {
  for (let number = 1; ; number++) {
    const path = removedPath(paths, number)
    if ((await fs.list(path)) === undefined) return path
  }
}

/** Directories between bucket and entry, topmost first. */
function parentsOf(paths: StorePaths, name: EntryName): string[] {
  const bucket = new BucketPaths(paths.root, name.bucket).directory
  return directoriesUpTo(bucket, new EntryPaths(paths.root, name).directory).slice(1, -1).reverse()
}

async function missingParents(fs: FileSystem, paths: StorePaths, name: EntryName): Promise<string[]> {
  const missing: string[] = []
  for (const path of parentsOf(paths, name)) if ((await fs.list(path)) === undefined) missing.push(path)
  return missing
}

/** Parents that are no entries: they would look like one once nothing is in them. */
function plainParents({ paths, catalogue }: RelocationContext, name: EntryName): string[] {
  const known = new Set(catalogue.entriesBelow(name.bucket).map((entry) => entry.paths.directory))
  return parentsOf(paths, name).filter((path) => !known.has(path))
}
