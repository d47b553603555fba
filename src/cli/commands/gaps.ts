import { partitionName } from '../../kafka/topic-partition.ts'
import { acceptanceOf } from '../../ledger/acceptance.ts'
import type { LedgerRow } from '../../ledger/ledger-codec.ts'
import { dataPathOf, type ConfigurationOptions } from '../configuration.ts'
import type { Context } from '../context.ts'
import { readLedger } from '../open-store.ts'
import { formatCount } from '../quantities.ts'
import { formatTable } from '../table.ts'

export interface GapsOptions extends ConfigurationOptions {
  readonly json?: boolean
  readonly ranges?: boolean
}

/** Offsets that are not stored, by partition and class; partitions that are held. Also while `sediment run` writes. */
export async function gaps(topic: string | undefined, options: GapsOptions, context: Context): Promise<void> {
  const { stdout } = context
  const { ledger } = await readLedger(dataPathOf(options, context))
  const rows = ledger.positions().filter((row) => topic === undefined || row.topic === topic)
  if (options.json === true) return stdout.lines(rows.map((row) => JSON.stringify(jsonOf(row))))
  await stdout.lines([
    ...(options.ranges === true ? rangeTable(rows) : classTable(rows)),
    ...rows.flatMap(holdLine),
  ])
}

function classTable(rows: readonly LedgerRow[]): string[] {
  const lines = rows.flatMap((row) =>
    [...row.gapOffsets].map(([gapClass, offsets]) => [
      partitionName(row),
      formatCount(row.nextOffset),
      gapClass,
      formatCount(offsets),
    ]),
  )
  if (lines.length === 0) return ['no gaps']
  return formatTable(
    [
      { title: 'PARTITION', align: 'left' },
      { title: 'NEXT', align: 'right' },
      { title: 'CLASS', align: 'left' },
      { title: 'OFFSETS', align: 'right' },
    ],
    lines,
  )
}

function rangeTable(rows: readonly LedgerRow[]): string[] {
  const lines = rows.flatMap((row) =>
    row.gaps.map((gap) => [
      partitionName(row),
      String(gap.fromOffset),
      String(gap.nextOffset),
      formatCount(gap.nextOffset - gap.fromOffset),
      gap.class,
      gap.storeId ?? '',
    ]),
  )
  const forgotten = rows.reduce((sum, row) => sum + row.gapRangesForgotten, 0)
  return [
    ...formatTable(
      [
        { title: 'PARTITION', align: 'left' },
        { title: 'FROM', align: 'right' },
        { title: 'NEXT', align: 'right' },
        { title: 'OFFSETS', align: 'right' },
        { title: 'CLASS', align: 'left' },
        { title: 'STORE', align: 'left' },
      ],
      lines,
    ),
    ...(forgotten === 0
      ? []
      : [`${formatCount(forgotten)} older ranges are only counted: see them without --ranges`]),
  ]
}

function holdLine(row: LedgerRow): string[] {
  const { hold, nextOffset, topic, partition } = row
  if (hold === undefined) return []
  const command = `${acceptanceOf(hold.reason)} accept`
  const where = hold.reason === 'topic-recreated' ? '' : ` at ${hold.offset}`
  return [
    `held: ${partitionName(row)}: ${hold.reason}${where}, next is ${nextOffset}; see what accepting it means: sediment ${command} ${topic} ${partition}`,
  ]
}

function jsonOf({ gapOffsets, ...row }: LedgerRow): object {
  const { clusterId, topic, partition, incarnation, topicId, leaderEpoch, nextOffset, records } = row
  return {
    clusterId,
    topic,
    partition,
    incarnation,
    topicId,
    leaderEpoch,
    nextOffset,
    records,
    gapOffsets: Object.fromEntries(gapOffsets),
    gaps: row.gaps,
    gapRangesForgotten: row.gapRangesForgotten,
    hold: row.hold,
  }
}
