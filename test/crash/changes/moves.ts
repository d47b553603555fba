import type { BucketSettings, EntryName, StorageError } from '../../../src/storage/index.ts'
import { buckets, paths, type Command, type CommandOf } from './commands.ts'
import { Change, settingsText, type State } from './model.ts'
import { nothing, type Stage, type Work } from './stage.ts'
import type { Uploads } from './uploads.ts'

type Move = CommandOf<'renameEntry' | 'removeEntry' | 'renameBucket' | 'removeBucket'>

export function isMove(command: Command): command is Move {
  return ['renameEntry', 'removeEntry', 'renameBucket', 'removeBucket'].includes(command.kind)
}

/** Renames and removals of buckets and entries. Where an upload is open they have to be refused. */
export function moving(stage: Stage, command: Move, uploads: Uploads): Work {
  const { state } = stage.expectation
  const { storage } = stage.process
  const move =
    command.kind === 'renameEntry' || command.kind === 'removeEntry'
      ? moveOfEntry(state, command)
      : moveOfBucket(state, command)
  if (move === undefined) return nothing
  const { bucket, path, to } = move
  const work = (): Promise<void> => {
    if (path === undefined)
      return to === undefined ? storage.removeBucket(bucket) : storage.renameBucket(bucket, to)
    const name = { bucket, entry: path }
    return to === undefined ? storage.removeEntry(name) : storage.renameEntry(name, to)
  }
  const change = new Change((changed) => applyMove(changed, move))
  return async () => {
    const place = path === undefined ? { bucket } : { bucket, entry: path }
    const hasUpload = uploads.isOpenIn(place)
    const isRefusal = ({ code }: StorageError): boolean => code === 'ERR_RECORD_STATE' && hasUpload
    const isDone = await stage.expectation.attempt(change, work, isRefusal)
    if (isDone) await uploads.requireEndedIn(place)
  }
}

/** Everything of a bucket, or what is at a path of it and below, and its new name; `undefined`: it goes. */
interface Relocation {
  readonly bucket: string
  readonly path: string | undefined
  readonly to: string | undefined
}

function moveOfEntry(
  state: State,
  command: CommandOf<'renameEntry'> | CommandOf<'removeEntry'>,
): Relocation | undefined {
  const places = new Map<string, EntryName>()
  for (const { bucket, entry } of state.entries.values()) {
    // Attachments go with their entry.
    const segments = entry.split('/').filter((segment) => segment !== '$meta')
    for (let count = 1; count <= segments.length; count++) {
      const path = segments.slice(0, count).join('/')
      places.set(`${bucket}/${path}`, { bucket, entry: path })
    }
  }
  const from = [...places.values()][command.pick % places.size]
  if (from === undefined) return undefined
  const { bucket, entry: path } = from
  if (command.kind === 'removeEntry') return { bucket, path, to: undefined }
  const to = rotated(paths, command.to).find(
    (one) => !places.has(`${bucket}/${one}`) && !one.startsWith(`${path}/`),
  )
  return to === undefined ? undefined : { bucket, path, to }
}

function moveOfBucket(
  state: State,
  command: CommandOf<'renameBucket'> | CommandOf<'removeBucket'>,
): Relocation | undefined {
  const bucket = [...state.buckets.keys()][command.pick % state.buckets.size]
  if (bucket === undefined) return undefined
  if (command.kind === 'removeBucket') return { bucket, path: undefined, to: undefined }
  const to = rotated(buckets, command.to).find((name) => !state.buckets.has(name))
  return to === undefined ? undefined : { bucket, path: undefined, to }
}

function applyMove(state: State, { bucket, path, to }: Relocation): void {
  state.move(bucket, path, (name) => {
    if (to === undefined) return undefined
    return path === undefined
      ? { ...name, bucket: to }
      : { bucket, entry: `${to}${name.entry.slice(path.length)}` }
  })
  if (path !== undefined) return
  const settings = state.buckets.get(bucket)
  state.buckets.delete(bucket)
  if (to !== undefined && settings !== undefined) state.buckets.set(to, settings)
}

/** New settings; a bucket that is not there is made. */
export function changingSettings(
  { process, expectation }: Stage,
  { bucket, quota, quotaBytes, blockRecordsMax }: CommandOf<'settings'>,
  defaults: BucketSettings,
): Work {
  const name = buckets[bucket] as string
  const { blockBytesMax } = defaults
  const bytes = quota === 'none' ? 0 : quotaBytes
  const settings: BucketSettings = { blockBytesMax, blockRecordsMax, quota: { kind: quota, bytes } }
  const change = new Change((state) => state.buckets.set(name, settingsText(settings)))
  return () =>
    expectation.attempt(change, () =>
      expectation.state.buckets.has(name)
        ? process.storage.changeBucketSettings(name, settings)
        : process.storage.createBucket(name, settings),
    )
}

function rotated<T>(items: readonly T[], from: number): T[] {
  return [...items.slice(from), ...items.slice(0, from)]
}
