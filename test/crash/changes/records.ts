import type { EntryName, RecordResult, RecordWrite, StorageError } from '../../../src/storage/index.ts'
import { SimulationFailure, type StoreProcess } from '../store-process.ts'
import { entries, type CommandOf } from './commands.ts'
import type { Expectation } from './expectation.ts'
import { Change, isQuota } from './model.ts'
import { labelled, printedLabels, relabelled } from './shown.ts'
import { SECOND_US, T0, knownRecords, nothing, type Known, type Stage, type Work } from './stage.ts'

/** What was removed last: to be written again at the same times. */
export interface Removed {
  readonly entry: EntryName
  readonly timesUs: readonly bigint[]
}

const REFILL_MAX = 4
const SMALL_BYTES = 20
const LARGE_BYTES = 200
/** More than goes through the log. */
const DIRECT_BYTES = 400

export function newRecord(
  id: string,
  target: EntryName,
  timestampUs: number,
  contentBytes = SMALL_BYTES,
): RecordWrite {
  return {
    target,
    timestampUs,
    labels: ['id', id],
    contentType: 'text/plain',
    content: Buffer.from(`${id}:`.padEnd(contentBytes, id)),
  }
}

export function writing(stage: Stage, command: CommandOf<'write' | 'writeDirect'>): Work {
  const target = entries[command.entry] as EntryName
  const contentBytes =
    command.kind === 'writeDirect' ? DIRECT_BYTES : command.large ? LARGE_BYTES : SMALL_BYTES
  return submitting(
    stage.process,
    stage.expectation,
    command.times.map((seconds) => newRecord(stage.newId(), target, T0 + seconds * SECOND_US, contentBytes)),
  )
}

export function refilling(stage: Stage, removed: Removed | undefined): Work {
  if (removed === undefined || removed.timesUs.length === 0) return nothing
  const times = removed.timesUs.slice(0, REFILL_MAX)
  return submitting(
    stage.process,
    stage.expectation,
    times.map((timestampUs) => newRecord(stage.newId(), removed.entry, Number(timestampUs))),
  )
}

function written(write: RecordWrite): Change {
  const labels = labelled(write.labels)
  const id = labels.get('id') as string
  const content = Buffer.from(write.content).toString()
  return new Change(
    (state) => state.put(id, { entry: write.target, labels: printedLabels(labels), content }),
    [write.target],
  )
}

export function submitting(
  process: StoreProcess,
  expectation: Expectation,
  writes: readonly RecordWrite[],
): Work {
  const changes = writes.map(written)
  const change = new Change(
    (state) => changes.forEach((one) => one.apply(state)),
    writes.map(({ target }) => target),
  )
  const isFull = (error: StorageError): boolean => isQuota(error, expectation.state)
  return async () => {
    const isDone = await expectation.attempt(change, () => process.storage.submit({ writes }), isFull)
    // Entries are made before anybody asks for room in them.
    if (!isDone) for (const { target } of writes) expectation.state.addEntry(target)
  }
}

export async function relabelling(stage: Stage, command: CommandOf<'labels'>): Promise<Work> {
  const name = entries[command.entry] as EntryName
  const picked = await pickedOf(stage, name, command.picks)
  if (picked.length === 0) return nothing
  const { process, expectation } = stage
  const version = stage.newId()
  const updates = picked.map(({ timestampUs }) => ({
    timestampUs,
    ...(command.isRemoval ? { remove: ['version'] } : { set: new Map([['version', version]]) }),
  }))
  return eachByItself(stage, name, picked, (done, work) => {
    const change = new Change((state) => {
      for (const id of done()) {
        const record = state.records.get(id)
        if (record === undefined) continue
        const changed = relabelled(record, (labels) => {
          if (command.isRemoval) labels.delete('version')
          else labels.set('version', version)
        })
        state.records.set(id, changed)
      }
    })
    return expectation.attempt(change, () => work(() => process.storage.updateLabels(name, updates)))
  })
}

export async function removing(
  stage: Stage,
  command: CommandOf<'remove'>,
  note: (removed: Removed) => void,
): Promise<Work> {
  const name = entries[command.entry] as EntryName
  const picked = await pickedOf(stage, name, command.picks)
  if (picked.length === 0) return nothing
  const { process, expectation } = stage
  const times = picked.map(({ timestampUs }) => timestampUs)
  note({ entry: name, timesUs: times })
  return eachByItself(stage, name, picked, (done, work) => {
    const change = new Change((state) => {
      for (const id of done()) state.records.delete(id)
    })
    return expectation.attempt(change, () => work(() => process.storage.removeRecords(name, times)))
  })
}

export async function removingRange(
  stage: Stage,
  command: CommandOf<'removeRange'>,
  note: (removed: Removed) => void,
): Promise<Work> {
  const name = entries[command.entry] as EntryName
  const known = await knownRecords(stage, name)
  const { process, expectation, touched } = stage
  const first = command.from % known.length
  const inRange = known.slice(first, first + command.count)
  if (inRange.length === 0) return nothing
  const free = inRange.filter(({ id }) => !touched.has(id))
  const ids = new Set(free.map(({ id }) => id))
  for (const id of ids) touched.add(id)
  note({ entry: name, timesUs: free.map(({ timestampUs }) => timestampUs) })
  const options = {
    startUs: (inRange[0] as Known).timestampUs,
    stopUs: (inRange.at(-1) as Known).timestampUs + 1n,
    where: ({ labels }: { labels: readonly string[] }): boolean =>
      ids.has(labelled(labels).get('id') as string),
  }
  const change = new Change((state) => ids.forEach((id) => state.records.delete(id)))
  return () =>
    expectation.attempt(
      change,
      () => process.storage.removeRange(name, options),
      ({ code }) => code === 'ERR_RECORD_STATE' && stage.hasUploads(name),
    )
}

async function pickedOf(stage: Stage, name: EntryName, picks: readonly number[]): Promise<Known[]> {
  const known = await knownRecords(stage, name)
  const picked = new Map<string, Known>()
  for (const pick of known.length > 0 ? picks : []) {
    const one = known[pick % known.length] as Known
    if (!stage.touched.has(one.id)) picked.set(one.id, one)
  }
  for (const id of picked.keys()) stage.touched.add(id)
  return [...picked.values()]
}

/** A change of several records, where those that an upload or a quota stands in the way of are left out. */
function eachByItself(
  stage: Stage,
  name: EntryName,
  picked: readonly Known[],
  attempt: (
    done: () => readonly string[],
    work: (change: () => Promise<RecordResult[]>) => Promise<void>,
  ) => Promise<unknown>,
): Work {
  let done: readonly string[] = picked.map(({ id }) => id)
  const work = async (change: () => Promise<RecordResult[]>): Promise<void> => {
    const results = await change()
    for (const { error } of results) {
      const isExpected =
        error === undefined ||
        (error.code === 'ERR_RECORD_STATE' && stage.hasUploads(name)) ||
        (error.code === 'ERR_NOT_FOUND' && stage.expectation.evictionsCount > 0)
      if (!isExpected) throw new SimulationFailure(`not done: ${error.message}`)
    }
    done = picked.filter((_, index) => results[index]?.error === undefined).map(({ id }) => id)
  }
  return () => attempt(() => done, work)
}
