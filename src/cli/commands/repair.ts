import { checkStore, type CheckedStore, type StoreReport } from '../../app/ledger-check/check-store.ts'
import { planRebuild, type RebuildPlan } from '../../app/ledger-check/rebuild-ledger.ts'
import { repairStore, type StoreRepair } from '../../app/ledger-check/repair-store.ts'
import { NodeFileSystem } from '../../fs/node/node-file-system.ts'
import { systemClock } from '../../fs/system-clock.ts'
import type { Gap } from '../../ledger/gap.ts'
import type { GapDisk } from '../../ledger/gap-files.ts'
import type { LedgerRow } from '../../ledger/ledger-codec.ts'
import { companionDirectory } from '../../storage/index.ts'
import { dataPathOf, type ConfigurationOptions } from '../configuration.ts'
import type { Context } from '../context.ts'
import { count, formatCount } from '../quantities.ts'
import { checkProgress, reportLines, verdict } from './verify.ts'

export interface RepairCommandOptions extends ConfigurationOptions {
  readonly apply?: boolean
  readonly rebuildLedger?: boolean
  readonly json?: boolean
}

/** What there is to do. */
interface Need {
  /** Of blocks, log or checkpoint. */
  readonly isDamaged: boolean
  /** Nothing says any more whose directory this is: no repair works on it. */
  readonly isFormatLost: boolean
  /** The log cannot be read to its end: what it says of offsets is lost with that. */
  readonly isLedgerLost: boolean
  /** Contradictions between ledger and records. */
  readonly ledgerFindings: number
  /** `undefined` unless it was asked for. */
  readonly rebuild: RebuildPlan | undefined
}

/**
 * Shows what is damaged and what a repair would do; does it with `--apply`, and shows what is left.
 * @returns the exit code: that of `verify`
 */
export async function repair(options: RepairCommandOptions, context: Context): Promise<number> {
  const dataPath = dataPathOf(options, context)
  const fs = await NodeFileSystem.open()
  try {
    const check = (): Promise<CheckedStore> =>
      checkStore(fs, dataPath, { checkContent: true, progress: checkProgress(context) })
    const checked = await check()
    const need = await needOf(checked, options, { fs, directory: companionDirectory(dataPath) })
    let { report } = checked
    let done: StoreRepair | undefined
    if (
      options.apply === true &&
      !need.isFormatLost &&
      (need.isDamaged || (need.rebuild?.changes.length ?? 0) > 0)
    ) {
      done = await repairStore({
        fs,
        dataPath,
        clock: systemClock,
        clusterId: report.identity?.clusterId,
        rebuildLedger: options.rebuildLedger === true,
        progress: (step) => context.progress.show(step),
      })
      report = (await check()).report
    }
    context.progress.clear()
    if (options.json === true) await context.stdout.line(jsonText(dataPath, done, need, report))
    else {
      const said =
        done === undefined
          ? intentions(need)
          : [...deeds(done, report.identity?.groupId), ...whatIsLeft(report)]
      await context.stdout.lines([...said, '', ...reportLines(dataPath, report)])
    }
    return verdict(report)
  } finally {
    context.progress.clear()
    await fs.close()
  }
}

async function needOf(
  { report, rows, stored }: CheckedStore,
  { rebuildLedger }: RepairCommandOptions,
  disk: GapDisk,
): Promise<Need> {
  const damaged = report.findings.filter(({ severity }) => severity === 'damaged')
  const ledgerFindings = ledgerFindingsOf(report)
  const isFormatLost = damaged.some(({ path }) => path.endsWith('/.sediment/format'))
  return {
    isDamaged: damaged.length > ledgerFindings,
    isFormatLost,
    isLedgerLost: damaged.length > 0 && !report.isLogWhole && !report.isLive && rebuildLedger !== true,
    ledgerFindings,
    rebuild:
      rebuildLedger === true ? await planRebuild(rows, stored, report.identity?.clusterId, disk) : undefined,
  }
}

function ledgerFindingsOf({ findings }: StoreReport): number {
  return findings.filter((finding) => finding.severity === 'damaged' && 'topic' in finding).length
}

function whatIsLeft(report: StoreReport): string[] {
  const left = ledgerFindingsOf(report)
  return left > 0 ? contradictionLines(left) : []
}

function contradictionLines(ledgerFindings: number): string[] {
  return [
    `ledger and records contradict each other in ${count(ledgerFindings, 'point')}: see what the records prove with`,
    'sediment repair --rebuild-ledger',
  ]
}

function intentions({ isDamaged, isFormatLost, isLedgerLost, ledgerFindings, rebuild }: Need): string[] {
  if (isFormatLost)
    return [
      '.sediment/format is damaged: it says whose directory this is, and a repair needs it. Put back a copy of it; it stays',
      'as it is while the directory is used.',
    ]
  const lines: string[] = []
  if (isDamaged)
    lines.push(
      'a repair would redo what the log can still say, keep of each damaged block what can be read, and move everything',
      'else, the log included, to .sediment/quarantine.',
    )
  if (isLedgerLost)
    lines.push(
      'The log cannot be read to its end, and the ledger of offsets is in it: without --rebuild-ledger the next run holds',
      'partitions, or stores again what is there.',
    )
  if (rebuild !== undefined) lines.push(...rebuildLines(rebuild, 'would become'))
  else if (ledgerFindings > 0 && !isDamaged) lines.push(...contradictionLines(ledgerFindings))
  if (isDamaged || (rebuild?.changes.length ?? 0) > 0)
    return [...lines, 'Copy the directory first; then add --apply.']
  return ledgerFindings > 0
    ? lines
    : [...lines, 'nothing to repair: what is found below, if anything, the next open mends']
}

function deeds({ steps, quarantined, rebuilt }: StoreRepair, groupId: string | undefined): string[] {
  return [
    ...steps.map((step) => `done: ${step}`),
    `${count(quarantined, 'file')} kept aside in .sediment/quarantine, each with its reason`,
    ...(rebuilt === undefined ? [] : [...rebuildLines(rebuilt, 'is now'), ...kafkaLines(rebuilt, groupId)]),
  ]
}

function rebuildLines({ changes, rows, left }: RebuildPlan, verb: string): string[] {
  return [
    ...changes.map(
      ({ before, after }) =>
        `ledger: ${after.topic}/${after.partition} ${verb} ${rowText(after)}` +
        (before === undefined ? '' : `; it was ${rowText(before)}`),
    ),
    ...left.map((why) => `ledger: left as it is: ${why}`),
    `ledger: ${count(rows.length - changes.length, 'partition')} as the records prove already`,
  ]
}

/** What Kafka remembers of a lost ledger may be ahead of what is proved. */
function kafkaLines({ changes }: RebuildPlan, groupId = 'GROUP'): string[] {
  const anew = changes.filter(({ before }) => before === undefined)
  if (anew.length === 0) return []
  return [
    'A partition whose commit is ahead of this is held by the next run. Read it again from here, with the group stopped:',
    ...anew.map(
      ({ after }) =>
        `  kafka-consumer-groups.sh --bootstrap-server HOST:PORT --group ${groupId} --topic ${after.topic}:${after.partition} ` +
        `--reset-offsets --to-offset ${after.nextOffset} --execute`,
    ),
  ]
}

/** `next 1,000, 997 stored, 3 unknown (17, 400–401)`. */
function rowText({ nextOffset, records, gapOffsets, gaps }: LedgerRow): string {
  const classes = [...gapOffsets].map(([gapClass, offsets]) => {
    const listed = gaps.filter((gap) => gap.class === gapClass)
    return `${formatCount(offsets)} ${gapClass} (${rangesText(listed)})`
  })
  return [`next ${formatCount(nextOffset)}`, `${formatCount(records)} stored`, ...classes].join(', ')
}

const RANGES_MAX = 4

function rangesText(gaps: readonly Gap[]): string {
  const named = gaps
    .slice(0, RANGES_MAX)
    .map(({ fromOffset, nextOffset }) =>
      nextOffset - fromOffset === 1 ? String(fromOffset) : `${fromOffset}–${nextOffset - 1}`,
    )
  return gaps.length > RANGES_MAX || gaps.length === 0 ? [...named, '…'].join(', ') : named.join(', ')
}

function jsonText(dataPath: string, done: StoreRepair | undefined, need: Need, report: StoreReport): string {
  const rebuild = done?.rebuilt ?? need.rebuild
  return JSON.stringify({
    dataPath,
    repaired: done && { steps: done.steps, quarantined: done.quarantined },
    ledgerRebuild: rebuild && {
      isApplied: done?.rebuilt !== undefined,
      left: rebuild.left,
      changes: rebuild.changes.map(({ before, after }) => ({
        before: before && rowJson(before),
        after: rowJson(after),
      })),
    },
    ...report,
  })
}

function rowJson(row: LedgerRow): object {
  const { spilled, gapOffsets, ...rest } = row
  return { ...rest, gapOffsets: Object.fromEntries(gapOffsets), gapRangesInFile: spilled?.ranges ?? 0 }
}
