import type { BucketSettings, EntryName, StorageError } from '../../../src/storage/index.ts'

/** What a record must show: labels as `name=value`, sorted, and its content, or that an upload has failed. */
export interface ModelRecord {
  readonly entry: EntryName
  readonly labels: string
  readonly content: string
}

export function keyOf({ bucket, entry }: EntryName): string {
  return `${bucket}/${entry}`
}

export function settingsText({ blockBytesMax, blockRecordsMax, quota }: BucketSettings): string {
  return `${blockBytesMax} bytes, ${blockRecordsMax} records, ${quota.kind} ${quota.bytes}`
}

/** What a store holds. */
export class State {
  /** By the label `id`, which no change touches. */
  readonly records = new Map<string, ModelRecord>()
  readonly entries = new Map<string, EntryName>()
  /** Settings by name. */
  readonly buckets = new Map<string, string>()
  /** Finished records that have a CRC-32, of a store that is open. */
  readonly checksummed = new Set<string>()
  readonly settingsOfNew: string

  constructor(settingsOfNew: string) {
    this.settingsOfNew = settingsOfNew
  }

  copy(): State {
    const copy = new State(this.settingsOfNew)
    for (const [id, record] of this.records) copy.records.set(id, record)
    for (const [key, name] of this.entries) copy.entries.set(key, name)
    for (const [name, settings] of this.buckets) copy.buckets.set(name, settings)
    for (const id of this.checksummed) copy.checksummed.add(id)
    return copy
  }

  put(id: string, record: ModelRecord): void {
    this.addEntry(record.entry)
    this.records.set(id, record)
  }

  addEntry(name: EntryName): void {
    this.entries.set(keyOf(name), name)
    if (!this.buckets.has(name.bucket)) this.buckets.set(name.bucket, this.settingsOfNew)
  }

  /** Everything in the bucket, with `path` what is there and below, goes to where `moved` says, or away. */
  move(bucket: string, path: string | undefined, moved: (name: EntryName) => EntryName | undefined): void {
    const isIn = ({ entry, bucket: of }: EntryName): boolean =>
      of === bucket && (path === undefined || entry === path || entry.startsWith(`${path}/`))
    for (const [key, name] of [...this.entries]) {
      if (!isIn(name)) continue
      this.entries.delete(key)
      const to = moved(name)
      if (to !== undefined) this.entries.set(keyOf(to), to)
    }
    for (const [id, record] of this.records) {
      if (!isIn(record.entry)) continue
      const entry = moved(record.entry)
      if (entry === undefined) this.records.delete(id)
      else this.records.set(id, { ...record, entry })
    }
  }
}

/** Whether a bucket that has a quota says no. */
export function isQuota({ code, facts }: StorageError, { buckets }: State): boolean {
  const settings = facts.bucket === undefined ? undefined : buckets.get(facts.bucket)
  return code === 'ERR_QUOTA' && settings !== undefined && !settings.includes('none')
}

/** An atom that was asked for and may be done or not. */
export class Change {
  readonly apply: (state: State) => void
  /** Entries that may be there, empty, when it is not done. */
  readonly mayLeave: readonly EntryName[]
  /** The store has said no: it must not be done. */
  isRefused = false

  constructor(apply: (state: State) => void, mayLeave: readonly EntryName[] = []) {
    this.apply = apply
    this.mayLeave = mayLeave
  }
}

/** A block that a quota let go of, once what came before it was. */
export interface Eviction {
  readonly ids: readonly string[]
}

/**
 * Every state that a crash may leave: what was acknowledged, each pending change whole or not at all, and of the pending
 * evictions of each process the first ones: the next one chooses anew.
 */
export class Allowed {
  readonly #acknowledged: State
  readonly #pending: readonly Change[]
  readonly #evictions: readonly (readonly Eviction[])[]

  constructor(acknowledged: State, pending: readonly Change[], evictions: readonly (readonly Eviction[])[]) {
    this.#acknowledged = acknowledged
    this.#pending = pending
    this.#evictions = evictions
  }

  /** With blocks that a process let go of since. */
  evicting(evictions: readonly Eviction[]): Allowed {
    return new Allowed(this.#acknowledged, this.#pending, [...this.#evictions, [...evictions]])
  }

  /** Why `state` is none of them. */
  contradicts(state: State): string | undefined {
    const optional = this.#optional()
    const shown = lines(state)
    const allowed = this.#states().map(lines)
    const fits = allowed.some((one) => {
      const rest = new Set(shown)
      for (const line of one) if (!rest.delete(line)) return false
      return Array.from(rest).every((line) => optional.has(line))
    })
    if (fits) return undefined
    return `shows\n${shown.join('\n')}\nallowed are\n${allowed.map((one) => one.join('\n')).join('\nor\n')}`
  }

  /** As `contradicts`, each record by itself: a change of several blocks is one atom to us, not to others. */
  contradictsAnywhere(state: State): string | undefined {
    const states = this.#states()
    const ids = new Set([state, ...states].flatMap((one) => [...one.records.keys()]))
    for (const id of ids) {
      const allowed = states.map((one) => recordLine(id, one.records.get(id)))
      const shown = recordLine(id, state.records.get(id))
      if (!allowed.includes(shown))
        return `shows\n${shown}\nallowed are\n${[...new Set(allowed)].join('\nor\n')}`
    }
    return undefined
  }

  /** Why `state` has forgotten CRC-32s that were durable. */
  losesChecksum(state: State): string | undefined {
    for (const id of this.#acknowledged.checksummed)
      if (state.records.has(id) && !state.checksummed.has(id)) return `shows record ${id} without its CRC-32`
    return undefined
  }

  /** What a record holds in any of the states. */
  contentOf(id: string): string | undefined {
    return this.#states()
      .find(({ records }) => records.has(id))
      ?.records.get(id)?.content
  }

  #states(): State[] {
    const pending = this.#pending.filter(({ isRefused }) => !isRefused)
    let states = Array.from({ length: 2 ** pending.length }, (_, chosen) => {
      const state = this.#acknowledged.copy()
      pending.forEach((change, index) => {
        if (Math.floor(chosen / 2 ** index) % 2 === 1) change.apply(state)
      })
      return state
    })
    for (const ofProcess of this.#evictions) states = states.flatMap((state) => prefixes(state, ofProcess))
    return states
  }

  /** Lines that may be there in any of the states: a crash may leave an entry, and what is above it, empty. */
  #optional(): Set<string> {
    const optional = new Set<string>()
    for (const { bucket, entry } of this.#pending.flatMap(({ mayLeave }) => mayLeave)) {
      optional.add(bucketLine(bucket, this.#acknowledged.settingsOfNew))
      const segments = entry.split('/')
      for (let count = 1; count <= segments.length; count++)
        optional.add(entryLine(`${bucket}/${segments.slice(0, count).join('/')}`))
    }
    return optional
  }
}

/** Without the blocks of the first evictions, for every number of them. */
function prefixes(state: State, evictions: readonly Eviction[]): State[] {
  const states = [state]
  for (const { ids } of evictions) {
    const less = (states.at(-1) as State).copy()
    for (const id of ids) less.records.delete(id)
    states.push(less)
  }
  return states
}

/** A line each for records, entries and buckets, the same for the same state. */
function lines({ records, entries, buckets }: State): string[] {
  return [
    ...Array.from(buckets, ([name, settings]) => bucketLine(name, settings)),
    ...Array.from(entries.keys(), entryLine),
    ...Array.from(records, ([id, record]) => recordLine(id, record)),
  ].sort()
}

function bucketLine(name: string, settings: string): string {
  return `bucket ${name}: ${settings}`
}

function entryLine(key: string): string {
  return `entry ${key}`
}

function recordLine(id: string, record: ModelRecord | undefined): string {
  if (record === undefined) return `no record ${id}`
  const { entry, labels, content } = record
  return `record ${id} in ${keyOf(entry)}: ${labels} ${content}`
}
