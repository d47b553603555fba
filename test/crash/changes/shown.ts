import { StorageError, type LabelList, type Storage } from '../../../src/storage/index.ts'
import { readAsStock, StockDoesNotStart } from '../../support/independent/stock-reader.ts'
import type { SimulatedDisk } from '../../support/simulated-disk.ts'
import { filesOf } from '../judge.ts'
import { SimulationFailure } from '../store-process.ts'
import { State, keyOf, settingsText, type ModelRecord } from './model.ts'

const NO_MEANING = 'bytes that mean nothing'

/** Of a record in a state other than finished. */
export function failedContent(contentBytes: number): string {
  return `${contentBytes} ${NO_MEANING}`
}

export function isFailed(content: string): boolean {
  return content.endsWith(NO_MEANING)
}

export function labelled(labels: LabelList): Map<string, string> {
  const values = new Map<string, string>()
  for (let index = 0; index < labels.length; index += 2)
    values.set(labels[index] as string, labels[index + 1] as string)
  return values
}

/** Without the label that a spill adds. */
export function printedLabels(labels: ReadonlyMap<string, string>): string {
  return Array.from(labels, ([name, value]) => `${name}=${value}`)
    .filter((label) => !label.startsWith('ts_original='))
    .sort()
    .join(' ')
}

/** Of a record of the model. */
export function labelsOf({ labels }: ModelRecord): Map<string, string> {
  return new Map(labels.split(' ').map((label) => label.split('=') as [string, string]))
}

export function relabelled(record: ModelRecord, change: (labels: Map<string, string>) => void): ModelRecord {
  const labels = labelsOf(record)
  change(labels)
  return { ...record, labels: printedLabels(labels) }
}

/**
 * What an open store shows at one moment. @param evictions how many blocks its quotas have let go of so far
 * @throws {SimulationFailure} when a record is there twice
 */
export async function shownBy(
  storage: Storage,
  settingsOfNew: string,
  evictions: () => number,
): Promise<State> {
  for (;;) {
    const before = evictions()
    if (before > 0) await allDone(storage)
    try {
      const state = await scanned(storage, settingsOfNew)
      if (evictions() === before) return state
    } catch (error) {
      const isGone = error instanceof StorageError && error.code === 'ERR_NOT_FOUND'
      if (!isGone || evictions() === before) throw error
    }
  }
}

async function scanned(storage: Storage, settingsOfNew: string): Promise<State> {
  const state = new State(settingsOfNew)
  for (const { name, settings } of storage.buckets()) state.buckets.set(name, settingsText(settings))
  for (const { bucket, entry } of await storage.entries({ attachments: true })) {
    const name = { bucket, entry }
    state.entries.set(keyOf(name), name)
    for await (const record of storage.records(name, { anyState: true })) {
      const labels = labelled(record.labels)
      const id = labels.get('id') as string
      if (state.records.has(id)) throw new SimulationFailure(`record ${id} is there twice`)
      const content =
        record.state === 'finished'
          ? Buffer.from(await record.read()).toString()
          : failedContent(record.contentBytes)
      state.records.set(id, { entry: name, labels: printedLabels(labels), content })
      if (record.state === 'finished' && record.contentChecksum !== undefined) state.checksummed.add(id)
    }
  }
  return state
}

/** Resolves when all that was begun before is done, blocks included that a quota lets go of. */
export async function allDone(storage: Storage): Promise<void> {
  const [entry] = await storage.entries({ attachments: true })
  if (entry !== undefined) await storage.removeRecords(entry, [])
}

/** What stock ReductStore would show of the disk as it is; settings of buckets are left out. */
export function stockState(disk: SimulatedDisk): State {
  const state = new State('')
  try {
    const { entries, records } = readAsStock(filesOf(disk))
    for (const { bucket, entry } of entries) state.entries.set(`${bucket}/${entry}`, { bucket, entry })
    for (const { bucket, entry, labels, content, contentLength, state: number } of records) {
      const values = new Map(labels)
      const id = values.get('id') as string
      if (state.records.has(id)) throw new SimulationFailure(`stock: record ${id} is there twice`)
      const isFinished = number === 1
      if (isFinished && content === undefined)
        throw new SimulationFailure(`stock: record ${id} has no content`)
      state.records.set(id, {
        entry: { bucket, entry },
        labels: printedLabels(values),
        content: isFinished ? Buffer.from(content as Uint8Array).toString() : failedContent(contentLength),
      })
    }
  } catch (error) {
    if (error instanceof StockDoesNotStart)
      throw new SimulationFailure(`stock does not start: ${error.message}`)
    throw error
  }
  return state
}
