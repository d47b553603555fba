import { checkStore, type StoreReport } from '../../app/ledger-check/check-store.ts'
import { NodeFileSystem } from '../../fs/node/node-file-system.ts'
import { systemClock } from '../../fs/system-clock.ts'
import type { Finding } from '../../storage/index.ts'
import { dataPathOf, type ConfigurationOptions } from '../configuration.ts'
import type { Context } from '../context.ts'
import { exitCodes } from '../exit-codes.ts'
import { count, formatBytes, formatCount } from '../quantities.ts'
import { formatTable } from '../table.ts'

export interface VerifyCommandOptions extends ConfigurationOptions {
  readonly json?: boolean
  /** Commander's negation: `--no-content` makes it false. */
  readonly content: boolean
}

/** Checks a directory without changing it. @returns the exit code */
export async function verify(options: VerifyCommandOptions, context: Context): Promise<number> {
  const dataPath = dataPathOf(options, context)
  const fs = await NodeFileSystem.open()
  try {
    const { report } = await checkStore(fs, dataPath, {
      checkContent: options.content,
      progress: checkProgress(context),
      clock: systemClock,
    })
    context.progress.clear()
    if (options.json === true) await context.stdout.line(JSON.stringify({ dataPath, ...report }))
    else await context.stdout.lines(reportLines(dataPath, report))
    return verdict(report)
  } finally {
    context.progress.clear()
    await fs.close()
  }
}

/** Shows how far a check has come. */
export function checkProgress({
  progress,
}: Context): (done: { blocks: number; blocksTotal: number; records: number }) => void {
  return ({ blocks, blocksTotal, records }) =>
    progress.show(`checking block ${blocks} of ${blocksTotal}, ${formatCount(records)} records`)
}

export function verdict({ findings }: { readonly findings: readonly Finding[] }): number {
  if (findings.some(({ severity }) => severity === 'damaged')) return exitCodes.damaged
  return findings.length > 0 ? exitCodes.unexpected : exitCodes.ok
}

export function reportLines(dataPath: string, report: StoreReport): string[] {
  const {
    buckets,
    entries,
    blocks,
    records,
    contentBytes,
    contentChecked,
    contentUnchecked,
    findings,
    notes,
    plan,
  } = report
  const amounts = [
    count(buckets, 'bucket'),
    count(entries, 'entry', 'entries'),
    count(blocks, 'block'),
    count(records, 'record'),
    `${formatBytes(contentBytes)} of content`,
  ]
  return [
    dataPath,
    `  ${amounts.join(', ')}`,
    `  content checked: ${formatCount(contentChecked)}, without a checksum: ${formatCount(contentUnchecked)}`,
    `  ledger: ${ledgerLine(report)}`,
    ...entryTable(report),
    ...notes.map(({ path, message }) => `  note: ${path}: ${message}`),
    ...findings.map(findingLine),
    ...(plan.length > 0 ? ['the next open would:', ...plan.map((step) => `  ${step}`)] : []),
    conclusion(report),
  ]
}

/** Many messages name their path themselves. */
function findingLine({ severity, path, message }: Finding): string {
  return `  ${severity}: ${message.includes(path) ? message : `${path}: ${message}`}`
}

function ledgerLine({ ledger, hasRemovals }: StoreReport): string {
  if (ledger.unchecked !== undefined) return `not held against the records: ${ledger.unchecked}`
  const records = ledger.partitions.reduce((sum, partition) => sum + partition.records, 0)
  const held = `${count(ledger.partitions.length, 'partition')} with ${count(records, 'record')} held against what is there`
  return hasRemovals ? `${held}; a missing record is only noted, since records were removed or evicted` : held
}

function conclusion({ findings, isLive }: StoreReport): string {
  const damaged = findings.filter(({ severity }) => severity === 'damaged').length
  const live = isLive ? '; a writer has the directory, its open blocks were left out' : ''
  if (damaged > 0) return `DAMAGED: ${damaged} of ${findings.length} findings need a person${live}`
  if (findings.length === 0) return `clean${live}`
  return `recoverable: the next open mends ${count(findings.length, 'finding')}${live}`
}

function entryTable({ byEntry }: StoreReport): string[] {
  if (byEntry.length === 0) return []
  return formatTable(
    [
      { title: 'ENTRY', align: 'left' },
      { title: 'RECORDS', align: 'right' },
      { title: 'CONTENT', align: 'right' },
      { title: 'BLOCKS', align: 'right' },
    ],
    byEntry.map(({ bucket, entry, records, contentBytes, blocks }) => [
      `${bucket}/${entry}`,
      formatCount(records),
      formatBytes(contentBytes),
      formatCount(blocks),
    ]),
  )
}
