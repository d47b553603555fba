import { crc32 } from 'node:zlib'
import { nodeFiles } from '../../support/independent/files.ts'
import { readAsStock, type StockRecord } from '../../support/independent/stock-reader.ts'
import type { FedLog } from './feeder.ts'

/** A promise to the outside was broken. */
export class KillLoopFailure extends Error {
  override readonly name = 'KillLoopFailure'
}

/** Which offsets a directory holds, by `topic/partition`, ascending. */
export interface Stored {
  readonly offsets: ReadonlyMap<string, readonly number[]>
  readonly count: number
}

const FINISHED = 1
const SHOWN_MAX = 10

/**
 * Reads a directory that no process writes, by the rules of stock ReductStore and nothing of Sediment, and compares
 * everything that is there with what was fed.
 *
 * @throws {KillLoopFailure} for a record twice, one that was never fed, and contents that differ
 */
export function readStored(dataPath: string, fed: ReadonlyMap<string, FedLog>): Stored {
  const found = new Map<string, number[]>()
  const wrong: string[] = []
  const view = readAsStock(nodeFiles(dataPath))
  for (const record of view.records) {
    const { name, offset, key } = identityOf(record)
    const log = fed.get(name)
    const content = record.content
    if (log === undefined || !(offset < log.crcs.length))
      wrong.push(`${name}@${offset} was never acknowledged`)
    else if (record.state !== FINISHED) wrong.push(`${name}@${offset} is in state ${record.state}`)
    else if (content === undefined || crc32(content) !== log.crcs[offset])
      wrong.push(`${name}@${offset} has another content`)
    else if (key !== log.keys[offset]) wrong.push(`${name}@${offset} has the key ${key}`)
    const offsets = found.get(name)
    if (offsets === undefined) found.set(name, [offset])
    else offsets.push(offset)
  }
  for (const [name, offsets] of found) {
    offsets.sort((one, other) => one - other)
    offsets.forEach((offset, index) => {
      if (offset === offsets[index - 1]) wrong.push(`${name}@${offset} is there twice`)
    })
  }
  if (wrong.length > 0) {
    const shown = [...wrong.slice(0, SHOWN_MAX), ...view.problems.slice(0, SHOWN_MAX)]
    throw new KillLoopFailure(`${wrong.length} records are wrong: ${shown.join('; ')}`)
  }
  return { offsets: found, count: view.records.length }
}

/** @throws {KillLoopFailure} when an offset below these ends is missing */
export function requireAllBelow(stored: Stored, ends: ReadonlyMap<string, number>, what: string): void {
  const missing: string[] = []
  for (const [name, end] of ends) {
    const there = new Set(stored.offsets.get(name))
    for (let offset = 0; offset < end; offset++) if (!there.has(offset)) missing.push(`${name}@${offset}`)
  }
  if (missing.length > 0) {
    const shown = missing.slice(0, SHOWN_MAX).join(', ')
    throw new KillLoopFailure(`${missing.length} ${what} offsets are missing: ${shown}`)
  }
}

/** From entry and labels, by the rule of the default mapping. */
function identityOf({ entry, labels }: StockRecord): {
  name: string
  offset: number
  key: string | undefined
} {
  let topic: string | undefined
  let partition: string | undefined
  let key: string | undefined
  let offset = -1
  for (const [name, value] of labels) {
    if (name === 'offset') offset = Number(value)
    else if (name === 'key') key = value
    else if (name === 'topic') topic = value
    else if (name === 'partition') partition = value
  }
  const slash = entry.lastIndexOf('/')
  return { name: `${topic ?? entry.slice(0, slash)}/${partition ?? entry.slice(slash + 1)}`, offset, key }
}
