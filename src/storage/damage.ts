import { isReadFailure } from '../fs/file-system.ts'
import { StorageError } from './errors.ts'

/** A bucket, or one of its entries with all below it. */
export interface Place {
  readonly bucket: string
  readonly entry?: string
}

export interface DamagedPlace extends Place {
  readonly error: StorageError
}

/** Buckets and entries that cannot be read. They harm nothing else, and stay so until the next open. */
export class Damage {
  readonly #root: string
  readonly #places = new Map<string, DamagedPlace>()

  /** @param root the data directory */
  constructor(root: string) {
    this.#root = root
  }

  get places(): DamagedPlace[] {
    return [...this.#places.values()]
  }

  /** The first reason counts. */
  note(place: Place, error: StorageError): void {
    const key = keyOf(place)
    if (!this.#places.has(key)) this.#places.set(key, { ...placeOf(place), error })
  }

  /** Why this place cannot be used: it, or one that it lies in, is damaged. */
  of({ bucket, entry }: Place): StorageError | undefined {
    if (this.#places.size === 0) return undefined
    let path = entry === undefined ? bucket : `${bucket}/${entry}`
    for (;;) {
      const place = this.#places.get(path)
      if (place !== undefined) return place.error
      const slash = path.lastIndexOf('/')
      if (slash === -1) return undefined
      path = path.slice(0, slash)
    }
  }

  /** As `of`, also where something below the place is damaged. */
  within(place: Place): StorageError | undefined {
    const above = this.of(place)
    if (above !== undefined) return above
    const prefix = `${keyOf(place)}/`
    return this.places.find((below) => keyOf(below).startsWith(prefix))?.error
  }

  /**
   * Runs a step that is about one entry or bucket. Where a file of it cannot be read, or is damaged, that is noted and
   * nothing more; all other errors pass.
   */
  async contain<T>(place: Place, step: () => Promise<T>): Promise<T | undefined> {
    try {
      return await step()
    } catch (error) {
      const path = pathOfDamage(error)
      if (path === undefined || !`${path}/`.startsWith(`${this.#root}/${place.bucket}/`)) throw error
      this.note(place, unreadable(place, { path, message: (error as Error).message }, error))
      return undefined
    }
  }
}

/** What it means for a bucket or entry that something of it could not be read. */
export function unreadable(
  place: Place,
  found: { readonly path: string; readonly message: string },
  cause: unknown = found,
): StorageError {
  const what = place.entry === undefined ? `bucket ${place.bucket}` : `entry ${place.bucket}/${place.entry}`
  const facts = { ...placeOf(place), path: found.path }
  return new StorageError('ERR_CORRUPT', `${what} cannot be read: ${found.message}`, facts, cause)
}

function pathOfDamage(error: unknown): string | undefined {
  if (isReadFailure(error)) return error.path
  return error instanceof StorageError && error.code === 'ERR_CORRUPT' ? error.facts.path : undefined
}

function placeOf({ bucket, entry }: Place): Place {
  return entry === undefined ? { bucket } : { bucket, entry }
}

function keyOf({ bucket, entry }: Place): string {
  return entry === undefined ? bucket : `${bucket}/${entry}`
}
