/**
 * `node --import tsx test/interop/writer-process.ts DIRECTORY PROFILE MESSAGES-SEED PACE-SEED`: the real engine, writing
 * numbered messages until it is killed or told to stop by a line on stdin: `settle`, `fold` or `unfolded`.
 *
 * Says on stdout, in lines that a kill cannot take back: `opening`, `open N` (everything below N is durable), `try N`
 * (messages below N have been submitted), `ack N`, `counts JSON`, `closed`; of messages that it changes `relabelling VALUE
 * NUMBERS`, `removing NUMBERS`, and then `changed`; on a refused start `refused CODE MESSAGE`.
 */
import { writeSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { silentStorageObserver, StorageError, type StorageObserver } from '../../src/storage/index.ts'
import { Random } from '../support/random.ts'
import { deltaOf, openInteropStore, payOwed, type InteropStore, type Profile } from './interop-store.ts'
import { CHANGED_LABEL, Messages, NUMBER_LABEL } from './messages.ts'
import { Places } from './places.ts'
import { labelsOf } from './shown.ts'

const IN_FLIGHT_MAX = 6
const CHANGED_MAX = 4
const CHANGED_BEHIND = 600

const [dataPath, profile, messagesSeed, paceSeed] = process.argv.slice(2) as [string, Profile, string, string]

function say(line: string): void {
  writeSync(1, `${line}\n`)
}

const counts = {
  seals: 0,
  checkpoints: 0,
  late: 0,
  reopened: 0,
  directBytes: 0,
  recoveredBlocks: 0,
  changes: 0,
}
const observer: StorageObserver = {
  ...silentStorageObserver,
  blockSealed: () => void counts.seals++,
  checkpointed: () => void counts.checkpoints++,
  recordLate: () => void counts.late++,
  blockReopened: () => void counts.reopened++,
  groupCommitted: ({ directBytes }) => void (counts.directBytes += directBytes),
  recovered: ({ blocksRedone }) => void (counts.recoveredBlocks += blocksRedone),
}

let ending: string | undefined
createInterface({ input: process.stdin }).on('line', (line) => (ending = line))

const messages = new Messages(Number(messagesSeed))
const random = new Random(Number(paceSeed))
const places = new Places(messages)

async function write(store: InteropStore): Promise<void> {
  const { storage, companion } = store
  const inFlight = new Set<Promise<void>>()
  let next = companion.next
  let acknowledged = next
  while (ending === undefined) {
    const from = next
    next += random.between(1, 25)
    const writes = Array.from({ length: next - from }, (_, index) => messages.at(from + index).write)
    const to = next
    say(`try ${to}`)
    const stored = storage.submit({ writes, delta: deltaOf(from, to) }).then(() => {
      inFlight.delete(stored)
      acknowledged = to
      say(`ack ${to}`)
    })
    inFlight.add(stored)
    if (inFlight.size >= IN_FLIGHT_MAX) await Promise.race(inFlight)
    if (random.chance(0.08) && acknowledged > 0) await change(store, acknowledged)
    if (random.chance(0.15)) await sleep(random.between(1, 20))
    if (random.chance(0.02)) await sleep(random.between(100, 250))
    say(`counts ${JSON.stringify(counts)}`)
  }
  await Promise.all(inFlight)
}

/** Labels of some stored messages of one entry, or the messages themselves. */
async function change({ storage }: InteropStore, acknowledged: number): Promise<void> {
  const chosen = new Map<number, bigint>()
  const name = places.at(random.below(acknowledged))
  for (let tries = 0; tries < 12 && chosen.size < CHANGED_MAX; tries++) {
    const number = random.between(Math.max(0, acknowledged - CHANGED_BEHIND), acknowledged - 1)
    const { bucket, entry, timestampUs } = places.at(number)
    if (bucket !== name.bucket || entry !== name.entry) continue
    // Somebody may have removed it, or taken its place.
    const record = await storage.get(name, timestampUs)
    if (record !== undefined && labelsOf(record.labels)[NUMBER_LABEL] === String(number))
      chosen.set(number, timestampUs)
  }
  if (chosen.size === 0) return
  const timestampsUs = [...chosen.values()]
  const isRemoval = random.chance(0.4)
  const value = `${process.pid}-${counts.changes}`
  say(`${isRemoval ? 'removing' : `relabelling ${value}`} ${[...chosen.keys()].join(' ')}`)
  const results = isRemoval
    ? await storage.removeRecords(name, timestampsUs)
    : await storage.updateLabels(
        name,
        timestampsUs.map((timestampUs) => ({ timestampUs, set: new Map([[CHANGED_LABEL, value]]) })),
      )
  for (const { error } of results) if (error !== undefined) throw error
  counts.changes++
  say('changed')
}

say('opening')
try {
  const store = await openInteropStore(dataPath, profile, observer)
  await payOwed(store, messages)
  say(`open ${store.companion.next}`)
  await write(store)
  if (ending === 'settle') await store.storage.settle()
  await store.close(ending === 'unfolded' ? { deadlineMs: 0 } : {})
  say(`counts ${JSON.stringify(counts)}`)
  say('closed')
  process.exit(0)
} catch (error) {
  if (!(error instanceof StorageError)) throw error
  say(`refused ${error.code} ${error.message}`)
  process.exit(3)
}
