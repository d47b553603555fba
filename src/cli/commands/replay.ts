import { resolve } from 'node:path'
import { existingEntries } from '../../app/existing-entries.ts'
import { compareRange, unlistedFiltered, type RangeReport } from '../../app/replay/compare-range.ts'
import { MissingStore, type StoredMissing } from '../../app/replay/store-missing.ts'
import { bucketSettingsOf } from '../../app/room-options.ts'
import { createRecordMapper } from '../../app/topic-guard.ts'
import { silentLogger } from '../../base/logger.ts'
import type { Settings } from '../../config/settings.ts'
import { systemClock } from '../../fs/system-clock.ts'
import type { KafkajsSource } from '../../kafka/kafkajs/kafkajs-source.ts'
import { partitionName } from '../../kafka/topic-partition.ts'
import type { LedgerRow } from '../../ledger/ledger-codec.ts'
import { recordOrigin } from '../../mapping/unmap.ts'
import type { OffsetLedger } from '../../ledger/offset-ledger.ts'
import type { RecordReader, Storage } from '../../storage/index.ts'
import { loadConfiguration, type ConfigurationOptions } from '../configuration.ts'
import type { Context } from '../context.ts'
import { exitCodes } from '../exit-codes.ts'
import { createSource } from '../kafka-source.ts'
import { mayHaveRemovals, withLedger, withReader, withStore, type ReadGaps } from '../open-store.ts'
import { count, formatCount } from '../quantities.ts'
import { parseTime } from '../time-argument.ts'
import { UsageError } from '../usage-error.ts'
import { wholeNumber } from '../whole-number.ts'

const PARTITION_DIGITS_MAX = 9

export interface ReplayCommandOptions extends ConfigurationOptions {
  readonly fromTime?: string
  readonly storeMissing?: boolean
  readonly removedToo?: boolean
  readonly json?: boolean
}

type Report = RangeReport & {
  /** Records were removed or evicted, or may have been: what is missing may be one of them. */
  readonly hasRemovals: boolean
  readonly stored?: StoredMissing
}

/** Reads a topic again and holds it against the store; stores what is missing when asked to. @returns the exit code */
export async function replay(
  topic: string,
  partitionText: string | undefined,
  rangeText: string | undefined,
  options: ReplayCommandOptions,
  context: Context,
): Promise<number> {
  const partition =
    partitionText === undefined ? undefined : wholeNumber('partition', partitionText, PARTITION_DIGITS_MAX)
  const range = parseOffsets(rangeText)
  const fromMs =
    options.fromTime === undefined ? undefined : Number(parseTime(options.fromTime, context.nowUs()) / 1000n)
  const { settings } = loadConfiguration(
    { ...options, set: [...(options.set ?? []), `kafka.topics=${topic}`] },
    context,
  )
  const dataPath = resolve(settings.dataPath)
  const source = createSource(settings, context.env, systemClock, silentLogger)
  const wanted = { topic, partition, ...range, fromMs, removedToo: options.removedToo === true }
  try {
    await source.probe()
    const reports =
      options.storeMissing === true
        ? await withStore(
            dataPath,
            (storage, ledger, gapsOf) =>
              compareAll({ source, wanted, settings, context, ledger, gapsOf, reader: storage, storage }),
            bucketSettingsOf(settings),
          )
        : await withLedger(dataPath, (ledger, gapsOf) =>
            withReader(dataPath, (reader) =>
              compareAll({ source, wanted, settings, context, ledger, gapsOf, reader, storage: undefined }),
            ),
          )
    context.progress.clear()
    const lines = options.json === true ? (report: Report) => [JSON.stringify(report)] : reportLines
    for (const report of reports) await context.stdout.lines(lines(report))
    return verdict(reports)
  } finally {
    context.progress.clear()
    await source.stop()
  }
}

interface Comparison {
  readonly source: KafkajsSource
  readonly wanted: {
    readonly topic: string
    readonly partition: number | undefined
    readonly fromOffset: number | undefined
    readonly toOffset: number | undefined
    readonly fromMs: number | undefined
    /** Stores also what may have been removed or evicted. */
    readonly removedToo: boolean
  }
  readonly settings: Settings
  readonly context: Context
  readonly ledger: OffsetLedger
  readonly gapsOf: ReadGaps
  readonly reader: RecordReader
  /** When what is missing is to be stored. */
  readonly storage: Storage | undefined
}

async function compareAll(comparison: Comparison): Promise<Report[]> {
  const { source, wanted, settings, context, ledger, gapsOf, reader, storage } = comparison
  const { topic, partition } = wanted
  const edges = (await source.readableRanges(topic)).filter(
    (one) => one.partition === (partition ?? one.partition),
  )
  edges.sort((a, b) => a.partition - b.partition)
  if (edges.length === 0) throw new UsageError(`${topic} has no partition ${partition}`)
  const hasRemovals = await mayHaveRemovals(resolve(settings.dataPath), reader)
  if (storage !== undefined) requireStorable(topic, storage, hasRemovals && !wanted.removedToo)
  const topicId = await source.topicId(topic)
  const { rules } = settings.mapping
  const topics = ledger.positions().map((row) => row.topic)
  const mapper =
    storage && createRecordMapper(rules, await existingEntries(reader, rules), topics, silentLogger)
  const reports: Report[] = []
  for (const { low, high, ...place } of edges) {
    const row = ledger.position({ ...place, clusterId: source.clusterId })
    const atTime =
      wanted.fromMs === undefined ? undefined : ((await source.offsetAtTime(place, wanted.fromMs)) ?? high)
    const fromOffset = wanted.fromOffset ?? atTime ?? 0
    const toOffset = Math.min(wanted.toOffset ?? row?.nextOffset ?? 0, high)
    if (row === undefined) {
      if (partition === undefined) continue
      throw new UsageError(`${partitionName(place)} was never consumed into this directory from this cluster`)
    }
    if (row.topicId !== undefined && topicId !== undefined && row.topicId !== topicId)
      throw new UsageError(
        `${topic} was deleted and made again: what is stored is of topic ${row.topicId}, Kafka has ${topicId}; they cannot be compared`,
      )
    if (storage !== undefined && row.incarnation > 0)
      throw new UsageError(
        `${partitionName(place)}: its offsets began anew, and records do not say which they are: nothing can be stored`,
      )
    if (storage !== undefined) await requireFilteredKnown(row, gapsOf)
    const missing =
      storage && mapper && new MissingStore(storage, mapper, place, () => context.nowUs() / 1000)
    const report = await compareRange({
      reader,
      row,
      gaps: gapsOf(row, ({ path, message }) =>
        context.note(`${partitionName(place)}: ${path}: ${message}, and are called missing here`),
      ),
      fromOffset,
      toOffset: Math.max(fromOffset, toOffset),
      lowWatermark: low,
      read: (from, to) => source.readRange(place, from, to),
      ...(missing && { onMissing: (record) => missing.add(record) }),
      onProgress: (offset, { equal }) =>
        context.progress.show(
          `${partitionName(place)}: ${formatCount(offset - fromOffset)} of ${formatCount(toOffset - fromOffset)} offsets, ${formatCount(equal)} equal`,
        ),
    })
    const stored = await missing?.finish()
    reports.push({ ...report, hasRemovals, ...(stored && { stored }) })
  }
  if (reports.length === 0)
    throw new UsageError(`${topic} was never consumed into this directory from this cluster`)
  return reports
}

/** What is owed has its place already; what was removed on purpose is not to come back unasked. */
function requireStorable(topic: string, storage: Storage, mayBringBack: boolean): void {
  const owed = storage.owed.filter(({ labels, entry }) => recordOrigin(labels, entry)?.topic === topic)
  if (owed.length > 0)
    throw new UsageError(
      `content of ${count(owed.length, 'record')} of ${topic} is owed, which ReductStore has cut off: first let \`sediment run\` read it again; nothing is stored`,
    )
  if (mayBringBack)
    throw new UsageError(
      'records were removed or evicted here, or may have been, and nothing tells them from lost ones: they would come back. ' +
        'To store them all the same: --store-missing --removed-too',
    )
}

/** A message that was left out, nobody knows any more which, is not to be stored. */
async function requireFilteredKnown(row: LedgerRow, gapsOf: ReadGaps): Promise<void> {
  let damage = ''
  const gaps = gapsOf(row, ({ path, message }) => (damage = `; ${path}: ${message}`))
  const unlisted = await unlistedFiltered(row, gaps)
  if (unlisted === 0) return
  throw new UsageError(
    `${partitionName(row)}: ${count(unlisted, 'message')} of it were filtered, and which they were is only counted any more: ` +
      `they cannot be told from what is missing, and nothing is stored${damage}`,
  )
}

function verdict(reports: readonly Report[]): number {
  if (reports.some(({ different, duplicates }) => different > 0 || duplicates > 0)) return exitCodes.damaged
  const isOpen = ({ missing, inGaps, stored }: Report): boolean =>
    missing > (stored?.stored ?? 0) || (inGaps.unknown ?? 0) > 0
  return reports.some(isOpen) ? exitCodes.unexpected : exitCodes.ok
}

function reportLines(report: Report): string[] {
  const { fromOffset, toOffset, equal, quarantined, different, missing, inGaps, stored } = report
  const line = (amount: number, what: string, more = ''): string[] =>
    amount === 0 ? [] : [`  ${formatCount(amount)} ${what}${more}`]
  const named = (offsets: readonly number[], amount: number): string =>
    `: ${offsets.join(', ')}${amount > offsets.length ? ', …' : ''}`
  return [
    `${partitionName(report)} offsets ${fromOffset} to ${toOffset}`,
    `  ${formatCount(equal)} equal, byte for byte${quarantined === 0 ? '' : `, ${formatCount(quarantined)} of them in quarantine`}`,
    ...line(different, 'DIFFERENT'),
    ...report.differentOffsets.map(({ offset, what }) => `    ${offset}: ${what}`),
    ...line(report.duplicates, 'STORED TWICE', '; see: sediment verify'),
    ...line(
      missing,
      `MISSING in the store${report.hasRemovals ? ', or removed or evicted' : ''}`,
      named(report.missingOffsets, missing),
    ),
    ...Object.entries(inGaps).flatMap(([gapClass, amount]) => line(amount, `in gaps: ${gapClass}`)),
    ...line(report.notYet, 'not read yet'),
    ...line(
      report.onlyInStore,
      'only in the store, compacted or aborted in Kafka',
      named(report.onlyInStoreOffsets, report.onlyInStore),
    ),
    ...line(report.expiredInKafka, 'in the store, expired in Kafka'),
    ...(stored === undefined
      ? missing === 0
        ? []
        : [`  to store what is missing: --store-missing${report.hasRemovals ? ' --removed-too' : ''}`]
      : [
          `  ${count(stored.stored, 'message')} stored${stored.quarantined === 0 ? '' : `, ${formatCount(stored.quarantined)} of them in quarantine`}${stored.left === 0 ? '' : `; ${formatCount(stored.left)} are filtered or held by their rule`}`,
        ]),
  ]
}

/** `10..20`, `10..`, `..20`; the end is exclusive. */
function parseOffsets(text: string | undefined): {
  readonly fromOffset: number | undefined
  readonly toOffset: number | undefined
} {
  const [, from = '', to = ''] = /^(\d{0,15})\.\.(\d{0,15})$/.exec(text ?? '..') ?? [undefined, 'x']
  const given = (part: string): number | undefined => (part === '' ? undefined : Number(part))
  const range = { fromOffset: given(from), toOffset: given(to) }
  if (Number.isNaN(range.fromOffset) || (range.fromOffset ?? 0) > (range.toOffset ?? Infinity))
    throw new UsageError(
      `not a range of offsets: ${JSON.stringify(text)}; write 100..200 (the end exclusive), 100.. or ..200`,
    )
  return range
}
