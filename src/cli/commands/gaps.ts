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
  readonly former?: boolean
  readonly json?: boolean
  readonly ranges?: boolean
}

/**
 * Offsets that are not stored, by partition and class; partitions that are held. With `former` what partitions were before
 * their offsets began anew. Also while `sediment run` writes.
 */
export async function gaps(topic: string | undefined, options: GapsOptions, context: Context): Promise<void> {
  const { stdout, note } = context
  await withLedger(dataPathOf(options, context), async (ledger, gapsOf, _, formerOf) => {
    const known = ledger.positions().filter((row) => topic === undefined || row.topic === topic)
    const rows: LedgerRow[] = options.former === true ? [] : known
    if (options.former === true)
      for (const row of known)
        rows.push(
          ...(await formerOf(row, ({ path, message }) => note(`${partitionName(row)}: ${path}: ${message}`))),
        )
    const rangesOf = (row: LedgerRow): AsyncIterable<readonly Gap[]> =>
      gapsOf(row, ({ path, message }) => note(`${partitionName(row)}: ${path}: ${message}`))
    if (options.json === true) {
      for (const row of rows) await writeJson(row, rangesOf(row), stdout)
      return
    }
    const nameOf = options.former === true ? formerName : partitionName
    if (options.ranges === true) await writeRanges(rows, nameOf, rangesOf, stdout)
    else await stdout.lines(options.former === true ? formerTable(rows) : classTable(rows))
    if (options.former !== true)
      await stdout.lines([...rows.flatMap(holdLine), ...rows.flatMap(unknownLine), ...formerLine(rows)])
  })
}

/** Several have the name. */
function formerName(row: LedgerRow): string {
  return `${partitionName(row)} (incarnation ${row.incarnation})`
}

function formerLine(rows: readonly LedgerRow[]): string[] {
  const anew = rows.filter(({ incarnation }) => incarnation > 0)
  if (anew.length === 0) return []
  const names = anew.slice(0, 3).map(partitionName).join(', ')
  return [
    `began anew: ${names}${anew.length > 3 ? ` and ${anew.length - 3} more` : ''}; see what was known before with --former`,
  ]
}

function formerTable(rows: readonly LedgerRow[]): string[] {
  if (rows.length === 0) return ['nothing is kept of former partitions']
  return formatTable(
    [
      { title: 'PARTITION', align: 'left' },
      { title: 'INCARNATION', align: 'right' },
      { title: 'TOPIC ID', align: 'left' },
      { title: 'NEXT', align: 'right' },
      { title: 'STORED', align: 'right' },
      { title: 'NOT STORED', align: 'left' },
    ],
    rows.map((row) => [
      partitionName(row),
      String(row.incarnation),
      row.topicId ?? 'not known',
      formatCount(row.nextOffset),
      formatCount(row.records),
      [...row.gapOffsets].map(([gapClass, offsets]) => `${gapClass} ${formatCount(offsets)}`).join(', '),
    ]),
  )
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
  nameOf: (row: LedgerRow) => string,
  rangesOf: (row: LedgerRow) => AsyncIterable<readonly Gap[]>,
  stdout: Output,
): Promise<void> {
  const last = rows.reduce((most, row) => Math.max(most, row.nextOffset), 0)
  const names = rows.map((row) => nameOf(row).length)
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
    const name = nameOf(row)
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

function unknownLine(row: LedgerRow): string[] {
  const offsets = row.gapOffsets.get('unknown') ?? 0
  const first = row.gaps.find((gap) => gap.class === 'unknown')
  if (offsets === 0 || first === undefined) return []
  const { topic, partition } = row
  return [
    `unknown: ${partitionName(row)}: ${formatCount(offsets)} offsets from ${first.fromOffset} on were not in Kafka's log, and ` +
      'nothing says why; a topic that was compacted once has such holes; ask Kafka again: ' +
      `sediment replay ${topic} ${partition} ${first.fromOffset}..${first.nextOffset}`,
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
