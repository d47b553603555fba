import type { DirectoryItem, FileSystem } from '../../fs/file-system.ts'
import { Damage } from '../damage.ts'
import {
  BucketPaths,
  EntryPaths,
  isBucketName,
  isEntryName,
  isOwnName,
  parseBlockFileName,
  parseLogName,
  storePaths,
} from '../paths.ts'
import { strayMessage, type Discovery } from '../query/discover.ts'
import type { Note } from './report.ts'
import type { Subject } from './subject.ts'

/** Of one directory: where a copy went astray there may be millions. */
const NOTES_MAX = 20

/** ReductStore keeps it in each entry that it replicates. */
const REPLICATION_LOG = 'repl.log'

/**
 * What is in the quarantine, directories that are no buckets, names that ReductStore could not make, and files that
 * nobody asks for: no faults, and nothing is ever done about them. Hidden files of ReductStore's count as its own.
 */
export async function noteNames(subject: Subject, there: Discovery): Promise<Note[]> {
  const { fs, dataPath, isLive } = subject
  const { strays, buckets, entries } = there
  const notes: Note[] = []
  // What cannot be read was found before.
  const damage = new Damage(dataPath)
  for (const name of strays) {
    notes.push({
      path: `${dataPath}/${name}`,
      message: strayMessage(name),
    })
  }
  for (const name of buckets.filter((bucket) => !isBucketName(bucket)))
    notes.push({ path: `${dataPath}/${name}`, message: 'ReductStore does not give a bucket this name' })
  for (const name of entries.filter(({ entry }) => !isEntryName(entry)))
    notes.push({ path: new EntryPaths(dataPath, name).directory, message: ofEntryName(name.entry) })
  notes.push(...(await noteQuarantine(fs, storePaths(dataPath).quarantine)))
  // Beside a writer files come and go.
  if (isLive) return notes
  const stray = async (directory: string, isKnown: (item: DirectoryItem) => boolean): Promise<void> => {
    const unknown = ((await fs.list(directory)) ?? []).filter((item) => !isKnown(item))
    notes.push(...firstOf(unknown, directory, ({ name }) => `${directory}/${name}`, 'nobody asks for it'))
  }
  const { sediment, logDirectory } = storePaths(dataPath)
  await stray(dataPath, ({ name, isDirectory }) => isDirectory || name.startsWith('.'))
  await stray(sediment, ({ name }) => isOwnName(name))
  await stray(logDirectory, ({ name }) => parseLogName(name) !== undefined)
  for (const bucket of buckets) {
    const { directory, settings } = new BucketPaths(dataPath, bucket)
    await damage.contain({ bucket }, () =>
      stray(
        directory,
        ({ name, isDirectory }) => isDirectory || name.startsWith('.') || `${directory}/${name}` === settings,
      ),
    )
  }
  for (const entry of entries) {
    const { directory, index, walDirectory } = new EntryPaths(dataPath, entry)
    await damage.contain(entry, async () => {
      await stray(
        directory,
        ({ name, isDirectory }) =>
          isDirectory ||
          name.startsWith('.') ||
          name === REPLICATION_LOG ||
          `${directory}/${name}` === index ||
          parseBlockFileName(name) !== undefined,
      )
      await stray(walDirectory, ({ name }) => parseBlockFileName(name)?.kind === 'wal')
    })
  }
  return notes
}

function ofEntryName(entry: string): string {
  return entry.split('/').includes('wal')
    ? 'named `wal`: ReductStore before 1.19 takes it for the log folder of the entry above'
    : 'ReductStore does not give an entry this name'
}

/** Every kept file with its reason. */
async function noteQuarantine(fs: FileSystem, directory: string): Promise<Note[]> {
  const names = ((await fs.list(directory)) ?? []).map(({ name }) => name)
  const kept = names.filter((name) => !name.endsWith('.reason') && !name.endsWith('.reason.tmp'))
  const reasons = new Map<string, string>()
  for (const name of kept.slice(0, NOTES_MAX)) {
    const reason = await fs.readFile(`${directory}/${name}.reason`)
    if (reason !== undefined) reasons.set(name, `: ${Buffer.from(reason).toString().trim()}`)
  }
  return firstOf(
    kept,
    directory,
    (name) => `${directory}/${name}`,
    (name) => `kept aside${reasons.get(name) ?? ''}`,
  )
}

function firstOf<Item>(
  items: readonly Item[],
  directory: string,
  pathOf: (item: Item) => string,
  message: string | ((item: Item) => string),
): Note[] {
  const notes = items.slice(0, NOTES_MAX).map((item) => ({
    path: pathOf(item),
    message: typeof message === 'string' ? message : message(item),
  }))
  if (items.length > NOTES_MAX)
    notes.push({ path: directory, message: `${items.length - NOTES_MAX} more like these` })
  return notes
}
