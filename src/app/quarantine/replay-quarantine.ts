import type { RecordMapper } from '../../sink/partition-state.ts'
import { replayMarks, replayTarget } from '../../sink/quarantine.ts'
import { recordOrigin } from '../../mapping/unmap.ts'
import type { EntryName, RecordReader, RecordWrite, Storage } from '../../storage/index.ts'
import { weighRecord } from '../../storage/index.ts'
import {
  isMeant,
  quarantinedRecordOf,
  quarantineEntries,
  readMessage,
  type QuarantinedRecord,
  type QuarantineFilter,
} from './quarantined.ts'

/** What is stored as one atom. */
const BATCH_RECORDS_MAX = 1000
const BATCH_BYTES_MAX = 4 * 1024 * 1024

/** What becomes of a quarantined message under the rules of now. */
export type ReplayOutcome =
  | { readonly kind: 'stored'; readonly into: string }
  /** Stored by an earlier run that ended before it could say so. */
  | { readonly kind: 'was-stored'; readonly into: string }
  /** It stays in quarantine: rejected again, held or filtered by its rule, or unreadable. */
  | { readonly kind: 'stays'; readonly why: string; readonly detail: string }

export interface ReplayOptions {
  readonly filter: QuarantineFilter
  readonly mapper: RecordMapper
  /** Hears of each message; when something is stored, once that is durable. */
  readonly onOutcome: (record: QuarantinedRecord, outcome: ReplayOutcome) => void
}

/** What a replay would do. Nothing is changed. */
export async function planReplay(reader: RecordReader, options: ReplayOptions): Promise<void> {
  for (const entry of await quarantineEntries(reader, options.filter)) {
    for await (const stored of reader.records(entry)) {
      const found = quarantinedRecordOf(stored)
      if (found === undefined || !isDue(found, options.filter)) continue
      const mapped = await mapAgain(found, options.mapper)
      const outcome = 'write' in mapped ? storedInto(mapped.write.target) : mapped
      options.onOutcome(found, outcome)
    }
  }
}

/**
 * Stores the messages in quarantine that can be mapped by now, each once, and marks them as replayed; they stay there, whole.
 *
 * Before a batch is stored its messages are marked as begun. What a crash has left begun is looked for in the entry that
 * the mark names, and marked as replayed where it is there.
 *
 * @throws {StorageError} `ERR_QUOTA`, `ERR_CORRUPT`: the batch was not stored; what was before is
 */
export async function replayQuarantine(storage: Storage, options: ReplayOptions): Promise<void> {
  for (const entry of await quarantineEntries(storage, options.filter)) {
    await settleBegun(storage, entry, options)
    for (let startUs: bigint | undefined = 0n; startUs !== undefined;)
      startUs = await replayBatch(storage, entry, startUs, options)
  }
}

interface Mapped {
  readonly record: QuarantinedRecord
  readonly write: RecordWrite
}

/** @returns where the next batch begins, `undefined` when there is none */
async function replayBatch(
  storage: Storage,
  entry: EntryName,
  startUs: bigint,
  { filter, mapper, onOutcome }: ReplayOptions,
): Promise<bigint | undefined> {
  const batch: Mapped[] = []
  let bytes = 0
  let nextUs: bigint | undefined
  for await (const stored of storage.records(entry, { startUs })) {
    const record = quarantinedRecordOf(stored)
    if (record === undefined || !isDue(record, filter)) continue
    const mapped = await mapAgain(record, mapper)
    if (!('write' in mapped)) {
      onOutcome(record, mapped)
      continue
    }
    batch.push({ record, write: mapped.write })
    bytes += weighRecord(mapped.write)
    if (batch.length < BATCH_RECORDS_MAX && bytes < BATCH_BYTES_MAX) continue
    nextUs = stored.timestampUs + 1n
    break
  }
  if (batch.length === 0) return undefined
  await mark(storage, entry, batch, ({ write }) => replayMarks.begun(write.target))
  await storage.submit({ writes: batch.map(({ write }) => write) })
  await mark(storage, entry, batch, ({ write }) => replayMarks.done(pathOf(write.target)))
  for (const { record, write } of batch) onOutcome(record, storedInto(write.target))
  return nextUs
}

/** Finds out what an interrupted run has stored. */
async function settleBegun(storage: Storage, entry: EntryName, { onOutcome }: ReplayOptions): Promise<void> {
  const begun: QuarantinedRecord[] = []
  for await (const stored of storage.records(entry)) {
    const record = quarantinedRecordOf(stored)
    if (record?.replay === 'begun') begun.push(record)
  }
  if (begun.length === 0) return
  const targets = new Set(begun.map(targetOf))
  const found = new Set<string>()
  for (const target of targets)
    for await (const name of originsIn(storage, target)) found.add(`${target} ${name}`)
  const isStored = (record: QuarantinedRecord): boolean =>
    found.has(`${targetOf(record)} ${originName(record)}`)
  const all = begun.map((record) => ({ record }))
  await mark(storage, entry, all, ({ record }) =>
    isStored(record) ? replayMarks.done(targetOf(record)) : replayMarks.none(),
  )
  for (const record of begun.filter(isStored))
    onOutcome(record, { kind: 'was-stored', into: targetOf(record) })
}

async function* originsIn(storage: Storage, path: string): AsyncGenerator<string> {
  const slash = path.indexOf('/')
  const name = { bucket: path.slice(0, slash), entry: path.slice(slash + 1) }
  for await (const { labels } of storage.records(name)) {
    const origin = recordOrigin(labels, name.entry)
    if (origin !== undefined) yield originName(origin)
  }
}

function targetOf({ stored }: QuarantinedRecord): string {
  return replayTarget(stored.labels) ?? ''
}

/** A damaged record batch has no message that could be mapped. */
function isDue(record: QuarantinedRecord, filter: QuarantineFilter): boolean {
  return record.replay !== 'done' && record.batchEnd === undefined && isMeant(record, filter)
}

async function mapAgain(
  record: QuarantinedRecord,
  mapper: RecordMapper,
): Promise<{ readonly write: RecordWrite } | Extract<ReplayOutcome, { kind: 'stays' }>> {
  const message = await readMessage(record)
  if (message === undefined) return { kind: 'stays', why: 'unreadable', detail: 'it is not what we wrote' }
  const rule = mapper.forPartition(message.topic, message.partition)
  if (rule === undefined) return { kind: 'stays', why: 'no-rule', detail: 'no mapping rule takes the topic' }
  const outcome = rule.map(message.record, message.arrivalMs)
  if ('rejected' in outcome) return { kind: 'stays', why: outcome.rejected, detail: outcome.detail ?? '' }
  if ('held' in outcome) return { kind: 'stays', why: outcome.held, detail: outcome.detail }
  if ('skipped' in outcome) return { kind: 'stays', why: `skipped by its ${outcome.skipped}`, detail: '' }
  return { write: outcome }
}

async function mark<Item extends { readonly record: QuarantinedRecord }>(
  storage: Storage,
  entry: EntryName,
  items: readonly Item[],
  changeOf: (item: Item) => { set?: ReadonlyMap<string, string>; remove?: readonly string[] },
): Promise<void> {
  const results = await storage.updateLabels(
    entry,
    items.map((item) => ({ timestampUs: item.record.stored.timestampUs, ...changeOf(item) })),
  )
  const failed = results.find(({ error }) => error !== undefined)?.error
  if (failed !== undefined) throw failed
}

function storedInto(target: EntryName): ReplayOutcome {
  return { kind: 'stored', into: pathOf(target) }
}

function pathOf({ bucket, entry }: EntryName): string {
  return `${bucket}/${entry}`
}

function originName(origin: {
  readonly topic: string
  readonly partition: number
  readonly offset: number
}): string {
  return `${origin.topic}/${origin.partition}/${origin.offset}`
}
