/**
 * The engine without Kafka, or its peer, in a process of its own:
 *
 *     node --import tsx engine-child.ts '{"kind": "engine", "entries": 64, "records": …, "recordBytes": …, "dataPath": …}'
 *
 * Messages as four partitions deliver them, a mebibyte at a time, mapped by key, up to 32 MiB not durable yet. Prints what
 * was measured as one line of JSON.
 */
import { randomBytes, randomUUID } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { KafkaMessage } from '../../src/mapping/message.ts'
import type { RecordWrite } from '../../src/storage/index.ts'
import { BlockWalStore } from './block-wal-store.ts'
import { built } from './built.ts'
import type { Measured } from './peer.ts'
import { keyName } from './topics.ts'

export type EngineKind = 'engine' | 'block-wal'

export interface EngineOptions {
  readonly kind: EngineKind
  readonly entries: number
  readonly records: number
  readonly recordBytes: number
  readonly dataPath: string
}

const PARTITIONS = 4
const BATCH_BYTES = 1024 * 1024
const GROUP_BYTES = 8 * 1024 * 1024
const UNDERWAY_BYTES_MAX = 32 * 1024 * 1024
const POOL_BYTES = 16 * 1024 * 1024
const RECORDS_PER_MILLISECOND = 100
const CLUSTER_ID = 'bench'

const options = JSON.parse(process.argv[2] ?? '') as EngineOptions
const { kind, entries, records, recordBytes, dataPath } = options

// As the sink does at its start.
const { collectOnce } = await built('base/first-collection')
collectOnce()
const { createMapper } = await built('mapping/mapper')
const { defaultRule } = await built('mapping/default-rule')
const mapper = createMapper([{ ...defaultRule, entry: '{key}', entries: { max: 1_000_000, beyond: 'hold' } }])
const partitions = Array.from({ length: PARTITIONS }, (_, partition) => {
  const found = mapper.forPartition('bench', partition)
  if (found === undefined) throw new Error('no rule')
  return found
})

interface Batch {
  readonly partition: number
  readonly fromOffset: number
  readonly nextOffset: number
  readonly writes: RecordWrite[]
}

const pool = randomBytes(POOL_BYTES)
const keys = Array.from({ length: entries }, (_, number) => Buffer.from(keyName(number)))
const startMs = Date.now()

/** As the keyed topics of the fan-out: record n has key n modulo entries and lies in partition n modulo four. */
function* batches(): Generator<Batch> {
  const perBatch = Math.floor(BATCH_BYTES / recordBytes)
  const offsets = partitions.map(() => 0)
  for (let done = 0, turn = 0; done < records; turn++) {
    const partition = turn % PARTITIONS
    const fromOffset = offsets[partition] as number
    const writes: RecordWrite[] = []
    while (writes.length < perBatch && done < records) {
      const offset = offsets[partition] as number
      const number = offset * PARTITIONS + partition
      const at = (number * 64) % (POOL_BYTES - recordBytes)
      const message: KafkaMessage = {
        offset,
        timestampMs: startMs + Math.floor(number / RECORDS_PER_MILLISECOND),
        key: keys[number % entries] as Buffer,
        value: pool.subarray(at, at + recordBytes),
        headers: [],
      }
      const record = (partitions[partition] as (typeof partitions)[number]).map(message, startMs)
      if (!('target' in record)) throw new Error(JSON.stringify(record))
      writes.push(record)
      offsets[partition] = offset + 1
      done++
    }
    yield { partition, fromOffset, nextOffset: offsets[partition] as number, writes }
  }
}

/** Runs `submit` over all batches with no more than `underwayMax` of them not durable. @returns after the last one is */
async function pump<Item>(
  items: Iterable<Item>,
  underwayMax: number,
  submit: (item: Item) => Promise<void>,
): Promise<void> {
  const underway = new Set<Promise<void>>()
  for (const item of items) {
    if (underway.size >= underwayMax) await Promise.race(underway)
    const done: Promise<void> = submit(item).finally(() => underway.delete(done))
    underway.add(done)
    // Mapping shares the thread with the engine, as in the sink: let it take its turn.
    await new Promise((resolve) => setImmediate(resolve))
  }
  await Promise.all(underway)
}

async function measured(
  work: () => Promise<void>,
): Promise<Pick<Measured, 'seconds' | 'cpuSeconds' | 'peakRssBytes'>> {
  const cpu = process.cpuUsage()
  const fromMs = performance.now()
  await work()
  const seconds = (performance.now() - fromMs) / 1000
  const { user, system } = process.cpuUsage(cpu)
  return {
    seconds,
    cpuSeconds: (user + system) / 1e6,
    peakRssBytes: process.resourceUsage().maxRSS * 1024,
  }
}

async function runEngine(): Promise<Measured> {
  const { NodeFileSystem } = await built('fs/node/node-file-system')
  const { systemClock } = await built('fs/system-clock')
  const { OffsetLedger } = await built('ledger/offset-ledger')
  const { encodeDelta } = await built('ledger/ledger-codec')
  const { Storage } = await built('storage/index')
  const syncs: Record<string, number> = {}
  const fs = await NodeFileSystem.open({
    observer: { synced: ({ kind }) => (syncs[kind] = (syncs[kind] ?? 0) + 1) },
  })
  const storage = await Storage.open({
    dataPath,
    fs,
    clock: systemClock,
    randomUuid: randomUUID,
    companion: new OffsetLedger(),
  })
  const durable = await measured(() =>
    pump(batches(), UNDERWAY_BYTES_MAX / BATCH_BYTES, ({ partition, fromOffset, nextOffset, writes }) => {
      const records = writes.length
      const advance = { topic: 'bench', partition, fromOffset, nextOffset, records, gaps: [] }
      return storage.submit({ writes, delta: encodeDelta(CLUSTER_ID, [advance]) })
    }),
  )
  const atDurable = { ...syncs }
  const closing = await measured(() => storage.close())
  await fs.close()
  return {
    records,
    recordBytes,
    ...durable,
    syncs: atDurable,
    notes: { closeSeconds: closing.seconds, closeCpuSeconds: closing.cpuSeconds },
  }
}

async function runBlockWal(): Promise<Measured> {
  const store = await BlockWalStore.open(dataPath)
  for (let number = 0; number < entries; number++) await store.makeEntry(keyName(number))
  const durable = await measured(() => pump(groups(), 2, (group) => store.write(group)))
  const { syncs } = store
  await store.close()
  await checkWals()
  return { records, recordBytes, ...durable, syncs: { all: syncs } }
}

function* groups(): Generator<RecordWrite[]> {
  let group: RecordWrite[] = []
  for (const { writes } of batches()) {
    group.push(...writes)
    if (group.length * recordBytes < GROUP_BYTES) continue
    yield group
    group = []
  }
  if (group.length > 0) yield group
}

/** @throws unless every record is in a WAL that ends with its marker */
async function checkWals(): Promise<void> {
  const { scanWal } = await built('storage/wal/wal-codec')
  let found = 0
  for (let number = 0; number < entries; number++) {
    const directory = join(dataPath, keyName(number), '.wal')
    for (const name of await readdir(directory)) {
      const { ending, entries: walEntries } = scanWal(await readFile(join(directory, name)))
      if (ending !== 'marker') throw new Error(`${name} ends with ${ending}`)
      found += walEntries.length
    }
  }
  if (found !== records) throw new Error(`${found} of ${records} records in the WALs`)
}

console.log(JSON.stringify(await (kind === 'engine' ? runEngine() : runBlockWal())))
