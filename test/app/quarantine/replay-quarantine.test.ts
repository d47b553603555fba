// Goal: a quarantined message is stored once when its rule is mended, whatever ends the replay on the way. Method: the real
// engine on a simulated disk, killed and cut off at every operation of a replay; then the replay is run again.
import { describe, expect, it } from '@jest/globals'
import { quarantinedRecords, type QuarantinedRecord } from '../../../src/app/quarantine/quarantined.ts'
import {
  planReplay,
  replayQuarantine,
  type ReplayOutcome,
} from '../../../src/app/quarantine/replay-quarantine.ts'
import { StoredOffsets } from '../../../src/app/ledger-check/stored-offsets.ts'
import { createMapper } from '../../../src/mapping/mapper.ts'
import { unmapRecord } from '../../../src/mapping/unmap.ts'
import { quarantinedRecord } from '../../../src/sink/quarantine.ts'
import type { RecordReader, Storage } from '../../../src/storage/index.ts'
import { ruleWith, type RuleChange } from '../../support/mapping/rules.ts'
import { SimulatedDisk } from '../../support/simulated-disk.ts'
import { openStore } from '../../support/storage/store.ts'

const ARRIVAL_MS = 1_700_000_000_000
const place = { topic: 'orders', partition: 0 }
const reason = { cause: 'content-too-large', detail: 'the value has 5 bytes, 4 may be', rule: 'default' }

const message = (offset: number, value: string | null = `value ${offset}`) => ({
  offset,
  timestampMs: ARRIVAL_MS - 1000,
  timestampType: 'create' as const,
  key: Buffer.from([offset, 255]),
  value: value === null ? null : Buffer.from(value),
  headers: [
    { name: Buffer.from('h'), value: null },
    { name: Buffer.from('h'), value: Buffer.from([0, offset]) },
  ],
})

/** Three messages in quarantine, and one that was stored. */
async function fill(store: Storage): Promise<void> {
  const writes = [message(1), message(2, null), message(3)].map((one) =>
    quarantinedRecord(one, reason, place, ARRIVAL_MS),
  )
  const good = createMapper([ruleWith()]).forPartition('orders', 0)!.map(message(0), ARRIVAL_MS)
  await store.submit({ writes: [...writes, good as never] })
}

async function replay(store: Storage, change: RuleChange = {}): Promise<[number, ReplayOutcome][]> {
  const outcomes: [number, ReplayOutcome][] = []
  const onOutcome = ({ offset }: QuarantinedRecord, outcome: ReplayOutcome) =>
    void outcomes.push([offset, outcome])
  await replayQuarantine(store, { filter: {}, mapper: createMapper([ruleWith(change)]), onOutcome })
  return outcomes
}

async function storedMessages(store: RecordReader): Promise<unknown[]> {
  const found: unknown[] = []
  for await (const record of store.records({ bucket: 'kafka', entry: 'orders/0' })) {
    const { entry, timestampUs, labels } = record
    const shown = unmapRecord({ entry, timestampUs, labels, content: await record.read() })
    if (shown === undefined) continue
    const { offset, key, value, headers, timestampMs } = shown
    found.push({ offset, key, value: value && Buffer.from(value), headers, timestampMs })
  }
  return found.sort((a, b) => (a as { offset: number }).offset - (b as { offset: number }).offset)
}

const replayStates = async (store: RecordReader) => {
  const states = []
  for await (const { replay: state } of quarantinedRecords(store)) states.push(state)
  return states
}

const expected = [message(0), message(1), message(2, null), message(3)].map(
  ({ timestampType: _, ...one }) => one,
)

describe('replay of quarantined messages', () => {
  it('stores them in their entry as Kafka had them, once, and keeps them where they were, marked', async () => {
    const store = await openStore(new SimulatedDisk({ seed: 1 }).fs)
    await fill(store)

    const outcomes = await replay(store)
    expect(outcomes).toEqual([1, 2, 3].map((offset) => [offset, { kind: 'stored', into: 'kafka/orders/0' }]))
    expect(await storedMessages(store)).toEqual(expected)
    expect(await replayStates(store)).toEqual(['done', 'done', 'done'])

    expect(await replay(store)).toEqual([])
    expect(await storedMessages(store)).toEqual(expected)
    await store.close()
  })

  it('leaves what the rule still rejects, filters or holds, and says so', async () => {
    const store = await openStore(new SimulatedDisk({ seed: 1 }).fs)
    await fill(store)

    expect(await replay(store, { contentBytesMax: 1, tombstones: 'skip' })).toMatchObject([
      [1, { kind: 'stays', why: 'content-too-large' }],
      [2, { kind: 'stays', why: 'skipped by its tombstone' }],
      [3, { kind: 'stays', why: 'content-too-large' }],
    ])
    expect(await replayStates(store)).toEqual([undefined, undefined, undefined])
    await store.close()
  })

  it('is planned without a change', async () => {
    const store = await openStore(new SimulatedDisk({ seed: 1 }).fs)
    await fill(store)
    const seen: [number, string][] = []
    await planReplay(store, {
      filter: { cause: 'content-too-large', topic: 'orders', partition: 0 },
      mapper: createMapper([ruleWith({ tombstones: 'quarantine' })]),
      onOutcome: ({ offset }, { kind }) => void seen.push([offset, kind]),
    })
    expect(seen).toEqual([
      [1, 'stored'],
      [2, 'stays'],
      [3, 'stored'],
    ])
    expect(await replayStates(store)).toEqual([undefined, undefined, undefined])
    await store.close()
  })

  it('counts as one record of each offset for verify, also half done', async () => {
    const store = await openStore(new SimulatedDisk({ seed: 1 }).fs)
    await fill(store)
    await replay(store)
    const stored = new StoredOffsets()
    for (const name of await store.entries())
      for await (const record of store.records(name)) stored.visit(record)
    const [offsets] = stored.partitions()
    expect([...offsets!.runs()]).toEqual([{ start: 0, end: 4 }])
    expect(offsets!.duplicates).toBe(0)
    await store.close()
  })

  it.each(['kill', 'power cut'] as const)(
    'ended by a %s at any operation is finished by the next one, without loss or repeat',
    async (kind) => {
      const filled = new SimulatedDisk({ seed: 1 })
      const first = await openStore(filled.fs)
      await fill(first)
      await first.close()
      let wasFound = 0
      let operations = 0
      for (let isDone = false; !isDone; operations += 1) {
        const disk = filled.fork(operations + 1)
        const store = await openStore(disk.fs)
        disk.crashAt(disk.operations + operations + 1)
        isDone = await replay(store).then(
          () => true,
          () => false,
        )
        disk.crashAt(undefined)
        if (kind === 'kill') disk.killProcess()
        else disk.cutPower()
        const next = await openStore(disk.fs)
        const outcomes = await replay(next)
        wasFound += outcomes.filter(([, outcome]) => outcome.kind === 'was-stored').length
        expect({ operations, stored: await storedMessages(next) }).toEqual({ operations, stored: expected })
        expect(await replayStates(next)).toEqual(['done', 'done', 'done'])
        await next.close()
      }
      expect(operations).toBeGreaterThan(5)
      expect(wasFound).toBeGreaterThan(0)
    },
  )
})
