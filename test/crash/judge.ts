import type { EntryName, StoredRecord, TimeRange } from '../../src/storage/index.ts'
import { checkSettled } from '../support/independent/settled-check.ts'
import { StockDoesNotStart, readAsStock } from '../support/independent/stock-reader.ts'
import type { ReadOnlyFiles } from '../support/independent/files.ts'
import type { SimulatedDisk } from '../support/simulated-disk.ts'
import type { Message, Topic } from './messages.ts'
import { DATA_PATH, SimulationFailure, type StoreProcess } from './store-process.ts'

/** Where records were seen: a record that was shown keeps its time for ever. */
export type Slots = Map<string, bigint>

/** Offsets below `floor` must be there, those from `ceiling` on must not. */
export interface Visible {
  readonly floor: readonly number[]
  readonly ceiling: readonly number[]
}

/** Reads every record through the engine and compares: all there, bit-exact, once, in order, nothing invented. */
export async function checkEverything(
  process: StoreProcess,
  topic: Topic,
  visible: Visible,
  slots: Slots,
): Promise<void> {
  const seen = new Set<string>()
  for (const target of topic.targets)
    await checkRange(process, topic, target, {}, visible.ceiling, slots, seen)
  requireAll(topic, visible.floor, seen, 'the store')
}

/** Reads a part of one entry; adds what it saw to `seen`. */
export async function checkRange(
  process: StoreProcess,
  topic: Topic,
  target: EntryName,
  range: TimeRange,
  ceiling: readonly number[],
  slots: Slots,
  seen: Set<string>,
): Promise<void> {
  let previousUs = -1n
  for await (const record of process.storage.records(target, range)) {
    const message = messageOf(topic, record.labels)
    const { identity, write } = message
    if (seen.has(identity)) throw new SimulationFailure(`${identity} is there twice`)
    seen.add(identity)
    if (message.offset >= (ceiling[message.partition] as number))
      throw new SimulationFailure(`${identity} is there, but no valid frame holds it`)
    if (record.timestampUs <= previousUs) throw new SimulationFailure(`${identity} is out of order`)
    previousUs = record.timestampUs
    if (record.bucket !== write.target.bucket || record.entry !== write.target.entry)
      throw new SimulationFailure(`${identity} is in ${record.bucket}/${record.entry}`)
    checkRecord(message, record, await record.read())
    const slot = slots.get(identity)
    if (slot === undefined) slots.set(identity, record.timestampUs)
    else if (slot !== record.timestampUs)
      throw new SimulationFailure(`${identity} was shown at ${slot} and is now at ${record.timestampUs}`)
  }
}

function checkRecord({ identity, write }: Message, record: StoredRecord, content: Uint8Array): void {
  const wantedUs = BigInt(write.timestampUs)
  const isSpilled = record.timestampUs - wantedUs >= 1000n
  const labels = isSpilled ? [...write.labels, 'ts_original', String(wantedUs)] : write.labels
  if (record.timestampUs < wantedUs) throw new SimulationFailure(`${identity} is before its time`)
  if (record.state !== 'finished') throw new SimulationFailure(`${identity} is ${record.state}`)
  if (record.contentType !== write.contentType)
    throw new SimulationFailure(`${identity} has content type '${record.contentType}'`)
  if (record.labels.join('\n') !== labels.join('\n'))
    throw new SimulationFailure(`${identity} has labels ${record.labels.join(' ')}`)
  if (!sameBytes(content, write.content)) throw new SimulationFailure(`${identity} has other content`)
}

/** What ReductStore would show of the directory as it is: all acknowledged records, and nothing that is not ours. */
export function checkStock(disk: SimulatedDisk, topic: Topic, visible: Visible): void {
  checkStockFiles(filesOf(disk), topic, visible)
}

/** The same of any directory. */
export function checkStockFiles(files: ReadOnlyFiles, topic: Topic, visible: Visible): void {
  const seen = new Set<string>()
  try {
    for (const record of readAsStock(files).records) {
      const message = messageOf(topic, record.labels.flat())
      if (seen.has(message.identity)) throw new SimulationFailure(`stock: ${message.identity} is there twice`)
      seen.add(message.identity)
      if (message.offset >= (visible.ceiling[message.partition] as number))
        throw new SimulationFailure(`stock: ${message.identity} is there, but was never submitted`)
      if (record.content === undefined || !sameBytes(record.content, message.write.content))
        throw new SimulationFailure(`stock: ${message.identity} has other content`)
    }
  } catch (error) {
    if (error instanceof StockDoesNotStart)
      throw new SimulationFailure(`stock does not start: ${error.message}`)
    throw error
  }
  requireAll(topic, visible.floor, seen, 'stock')
}

/** After `settle` or a clean stop: what stock finds is whole, listed and checksummed, and nothing temporary is left. */
export function checkSettledDirectory(disk: SimulatedDisk): void {
  const [violation] = checkSettled(filesOf(disk))
  if (violation !== undefined)
    throw new SimulationFailure(`settled: ${violation.invariant} ${violation.path}: ${violation.what}`)
  const temporary = disk.paths(DATA_PATH).find((path) => path.endsWith('.tmp'))
  if (temporary !== undefined) throw new SimulationFailure(`settled: ${temporary} was left`)
}

/**
 * After an open: each data file belongs to a block, and nothing was kept aside, for all that is there is our own.
 * @throws {SimulationFailure}
 */
export function checkNothingNameless(disk: SimulatedDisk): void {
  const aside = disk.paths(`${DATA_PATH}/.sediment/quarantine`)[0]
  if (aside !== undefined) throw new SimulationFailure(`${aside} was kept aside`)
  const path = namelessContent(disk)
  if (path !== undefined) throw new SimulationFailure(`${path} has neither descriptor nor WAL`)
}

/** A data file that belongs to no block. */
export function namelessContent(disk: SimulatedDisk): string | undefined {
  const paths = new Set(disk.paths(DATA_PATH))
  for (const path of paths) {
    const [, directory, id] = /^(.+)\/(\d+)\.blk$/.exec(path) ?? []
    if (directory === undefined || directory === `${DATA_PATH}/.sediment/staged`) continue
    if (!paths.has(`${directory}/${id}.meta`) && !paths.has(`${directory}/.wal/${id}.wal`)) return path
  }
  return undefined
}

function requireAll(topic: Topic, floor: readonly number[], seen: ReadonlySet<string>, where: string): void {
  for (const [partition, next] of floor.entries()) {
    for (let offset = 0; offset < next; offset++) {
      const message = topic.at(partition, offset)
      if (message !== undefined && !seen.has(message.identity))
        throw new SimulationFailure(`${where} has lost ${message.identity} (${message.write.target.entry})`)
    }
  }
}

function messageOf(topic: Topic, labels: readonly string[]): Message {
  const identity = labels[labels.indexOf('offset') + 1] ?? ''
  const message = topic.byIdentity(identity)
  if (message === undefined)
    throw new SimulationFailure(`a record with labels ${labels.join(' ')} was invented`)
  return message
}

function sameBytes(one: Uint8Array, other: Uint8Array): boolean {
  return Buffer.compare(one, other) === 0
}

export function filesOf(disk: SimulatedDisk): ReadOnlyFiles {
  const place = (path: string): string => (path === '' ? DATA_PATH : `${DATA_PATH}/${path}`)
  return {
    list: (path) =>
      (disk.list(place(path)) ?? []).map(({ name, isDirectory }) => (isDirectory ? `${name}/` : name)),
    readFile: (path) => disk.peek(place(path)),
  }
}
