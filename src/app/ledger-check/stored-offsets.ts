import { IntervalSet } from '../../base/interval-set.ts'
import type { Run } from '../../base/runs.ts'
import type { Offsets } from '../../ledger/reconcile.ts'
import type { LedgerRow } from '../../ledger/ledger-codec.ts'
import { recordOrigin } from '../../mapping/unmap.ts'
import { replayState } from '../../sink/quarantine.ts'
import type { LabelList, OwedRecord, RecordState } from '../../storage/index.ts'

/** Memory for the offsets of all partitions: 16 bytes a run, so 64 MiB. */
const RUNS_MAX = 4 * 1024 * 1024
/** Places that are named of each kind. */
const PLACES_MAX = 8

/** What is asked of a record. */
export interface PlacedRecord {
  readonly bucket: string
  readonly entry: string
  readonly labels: LabelList
  readonly timestampUs: bigint
  readonly state: RecordState
}

export interface OffsetPlace {
  readonly offset: number
  readonly bucket: string
  readonly entry: string
  readonly timestampUs: string
}

/** The offsets of one partition whose records are there. */
export class PartitionOffsets implements Offsets {
  readonly topic: string
  readonly partition: number
  /** Stored again: so many records, and where the first of them are. */
  duplicates = 0
  readonly duplicatePlaces: OffsetPlace[] = []
  /** The record with the greatest offset. */
  last: OffsetPlace | undefined
  /** `bucket/entry` of some of its records. */
  readonly entries = new Set<string>()
  /** Its offsets took more memory than there is for all: nothing is known of them. */
  isGivenUp = false
  readonly #stored = new IntervalSet()

  constructor(topic: string, partition: number) {
    this.topic = topic
    this.partition = partition
  }

  get runCount(): number {
    return this.#stored.runCount
  }

  runs(): Iterable<Run> {
    return this.#stored.runs()
  }

  addRange({ start, end }: Run): void {
    this.#stored.addRange(start, end)
  }

  add(offset: number, { bucket, entry, timestampUs }: PlacedRecord): void {
    const place = { offset, bucket, entry, timestampUs: String(timestampUs) }
    if (this.#stored.has(offset)) {
      this.duplicates += 1
      if (this.duplicatePlaces.length < PLACES_MAX) this.duplicatePlaces.push(place)
    }
    this.#stored.add(offset)
    if (this.last === undefined || offset > this.last.offset) this.last = place
    if (this.entries.size < PLACES_MAX) this.entries.add(`${bucket}/${entry}`)
  }

  giveUp(): void {
    this.isGivenUp = true
    this.#stored.removeBelow(Infinity)
  }
}

/**
 * Which offsets of which partition are stored, gathered record by record from labels and entry names. Memory is bounded
 * by runs, not by records; where it does not suffice, the partition with the most runs is given up.
 */
export class StoredOffsets {
  readonly #partitions = new Map<string, PartitionOffsets>()
  /** From the log: those records may be in files as well, and are no duplicates of them. */
  readonly #logged = new Map<string, PartitionOffsets>()
  readonly #runsMax: number
  #runs = 0

  constructor(runsMax = RUNS_MAX) {
    this.#runsMax = runsMax
  }

  /** A record in a file. */
  visit(record: PlacedRecord): void {
    if (record.state !== 'finished') return
    const replay = replayState(record)
    if (replay === 'begun') this.visitLogged(record)
    else if (replay === undefined) this.#add(this.#partitions, record)
  }

  /** A record that the log brings, whether a file has it yet or not. */
  visitLogged({ bucket, entry, labels }: Pick<PlacedRecord, 'bucket' | 'entry' | 'labels'>): void {
    this.#add(this.#logged, { bucket, entry, labels, timestampUs: 0n, state: 'finished' })
  }

  /** A record whose content will be read again from Kafka; not one that the ledger has given up since. */
  visitOwed(record: OwedRecord, rows: readonly LedgerRow[]): void {
    const origin = recordOrigin(record.labels, record.entry)
    if (origin === undefined) return
    const { topic, partition, offset } = origin
    const isGivenUp = rows.some(
      (row) =>
        row.topic === topic &&
        row.partition === partition &&
        row.gaps.some((gap) => gap.fromOffset <= offset && offset < gap.nextOffset),
    )
    if (!isGivenUp) this.visitLogged(record)
  }

  /** By topic and partition, once everything was visited. */
  partitions(): PartitionOffsets[] {
    for (const [name, logged] of this.#logged) {
      const offsets = this.#of(this.#partitions, name, logged)
      for (const entry of logged.entries) offsets.entries.add(entry)
      if (logged.isGivenUp) offsets.giveUp()
      if (!offsets.isGivenUp) for (const run of logged.runs()) offsets.addRange(run)
    }
    this.#logged.clear()
    return [...this.#partitions.values()].sort(
      (a, b) => (a.topic < b.topic ? -1 : a.topic > b.topic ? 1 : 0) || a.partition - b.partition,
    )
  }

  #add(to: Map<string, PartitionOffsets>, record: PlacedRecord): void {
    const origin = recordOrigin(record.labels, record.entry)
    // The offset behind it must be a safe integer, too.
    if (origin === undefined || origin.offset === Number.MAX_SAFE_INTEGER) return
    const offsets = this.#of(to, `${origin.topic}/${origin.partition}`, origin)
    if (offsets.isGivenUp) return
    const before = offsets.runCount
    offsets.add(origin.offset, record)
    this.#runs += offsets.runCount - before
    if (this.#runs > this.#runsMax) this.#giveUpLargest()
  }

  #of(
    of: Map<string, PartitionOffsets>,
    name: string,
    { topic, partition }: Pick<PartitionOffsets, 'topic' | 'partition'>,
  ): PartitionOffsets {
    let offsets = of.get(name)
    if (offsets === undefined) of.set(name, (offsets = new PartitionOffsets(topic, partition)))
    return offsets
  }

  #giveUpLargest(): void {
    const all = [...this.#partitions.values(), ...this.#logged.values()]
    const largest = all.reduce((most, one) => (one.runCount > most.runCount ? one : most))
    this.#runs -= largest.runCount
    largest.giveUp()
  }
}
