import { partitionName } from '../../kafka/topic-partition.ts'
import { acceptanceOf } from '../../ledger/acceptance.ts'
import type { Gap } from '../../ledger/gap.ts'
import type { LedgerRow } from '../../ledger/ledger-codec.ts'
import { dataPathOf, type ConfigurationOptions } from '../configuration.ts'
import type { Context } from '../context.ts'
import { withLedger } from '../open-store.ts'
import type { Output } from '../output.ts'
import { formatCount } from '../quantities.ts'
import { formatTable, type Column } from '../table.ts'

export interface GapsOptions extends ConfigurationOptions {
  readonly json?: boolean
  readonly ranges?: boolean
}

/** Offsets that are not stored, by partition and class; partitions that are held. Also while `sediment run` writes. */
export async function gaps(topic: string | undefined, options: GapsOptions, context: Context): Promise<void> {
  const { stdout, note } = context
  await withLedger(dataPathOf(options, context), async (ledger, gapsOf) => {
    const rows = ledger.positions().filter((row) => topic === undefined || row.topic === topic)
    const rangesOf = (row: LedgerRow): AsyncIterable<readonly Gap[]> =>
      gapsOf(row, ({ path, message }) => note(`${partitionName(row)}: ${path}: ${message}`))
    if (options.json === true) {
      for (const row of rows) await writeJson(row, rangesOf(row), stdout)
      return
    }
    if (options.ranges === true) await writeRanges(rows, rangesOf, stdout)
    else await stdout.lines(classTable(rows))
    await stdout.lines(rows.flatMap(holdLine))
  })
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

async function writeRanges(
  rows: readonly LedgerRow[],
  rangesOf: (row: LedgerRow) => AsyncIterable<readonly Gap[]>,
  stdout: Output,
): Promise<void> {
  const last = rows.reduce((most, row) => Math.max(most, row.nextOffset), 0)
  const names = rows.map((row) => partitionName(row).length)
  const columns: readonly Column[] = [
    { title: 'PARTITION', align: 'left', width: names.reduce((most, length) => Math.max(most, length), 0) },
    { title: 'FROM', align: 'right', width: String(last).length },
    { title: 'NEXT', align: 'right', width: String(last).length },
    { title: 'OFFSETS', align: 'right', width: formatCount(last).length },
    { title: 'CLASS', align: 'left', width: 'before-start'.length },
    { title: 'STORE', align: 'left' },
  ]
  const [titles] = formatTable(columns, [])
  await stdout.lines([titles ?? ''])
  for (const row of rows) {
    const name = partitionName(row)
    for await (const piece of rangesOf(row)) {
      const cells = piece.map((gap) => [
        name,
        String(gap.fromOffset),
        String(gap.nextOffset),
        formatCount(gap.nextOffset - gap.fromOffset),
        gap.class,
        gap.storeId ?? '',
      ])
      const [, ...lines] = formatTable(columns, cells)
      if (lines.length > 0) await stdout.line(lines.join('\n'))
    }
  }
  const forgotten = rows.reduce((sum, row) => sum + row.gapRangesForgotten, 0)
  if (forgotten > 0)
    await stdout.line(`${formatCount(forgotten)} older ranges are only counted: see them without --ranges`)
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

/** One line; the ranges come last, as they are read. */
async function writeJson(
  { gapOffsets, ...row }: LedgerRow,
  ranges: AsyncIterable<readonly Gap[]>,
  stdout: Output,
): Promise<void> {
  const { clusterId, topic, partition, incarnation, topicId, leaderEpoch, nextOffset, records } = row
  const facts = {
    clusterId,
    topic,
    partition,
    incarnation,
    topicId,
    leaderEpoch,
    nextOffset,
    records,
    gapOffsets: Object.fromEntries(gapOffsets),
    gapRangesForgotten: row.gapRangesForgotten,
    hold: row.hold,
  }
  await stdout.write(`${JSON.stringify(facts).slice(0, -1)},"gaps":[`)
  let separator = ''
  for await (const piece of ranges) {
    if (piece.length === 0) continue
    await stdout.write(separator + piece.map((gap) => JSON.stringify(gap)).join(','))
    separator = ','
  }
  await stdout.line(']}')
}
