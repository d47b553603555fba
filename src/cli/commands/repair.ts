import { NodeFileSystem } from '../../fs/node/node-file-system.ts'
import { systemClock } from '../../fs/system-clock.ts'
import { silentLogger } from '../../base/logger.ts'
import { OffsetLedger } from '../../ledger/offset-ledger.ts'
import { repairDirectory, verifyDirectory, type RepairReport } from '../../storage/index.ts'
import { dataPathOf, type ConfigurationOptions } from '../configuration.ts'
import type { Context } from '../context.ts'
import { exitCodes } from '../exit-codes.ts'
import { formatCount } from '../quantities.ts'
import { reportLines, verdict } from './verify.ts'

export interface RepairCommandOptions extends ConfigurationOptions {
  readonly apply?: boolean
  readonly json?: boolean
}

/**
 * Shows what is damaged and what a repair would do; does it with `--apply`, and shows what is left.
 * @returns the exit code: that of `verify`
 */
export async function repair(options: RepairCommandOptions, context: Context): Promise<number> {
  const dataPath = dataPathOf(options, context)
  const fs = await NodeFileSystem.open()
  try {
    const check = (): ReturnType<typeof verifyDirectory> =>
      verifyDirectory(fs, dataPath, {
        checkContent: true,
        progress: ({ blocks, blocksTotal, records }) =>
          context.progress.show(
            `checking block ${blocks} of ${blocksTotal}, ${formatCount(records)} records`,
          ),
      })
    let report = await check()
    let done: RepairReport | undefined
    const isDamaged = verdict(report) === exitCodes.damaged
    if (isDamaged && options.apply === true) {
      done = await repairDirectory({
        dataPath,
        fs,
        clock: systemClock,
        logger: silentLogger,
        companion: new OffsetLedger(),
        progress: (step) => context.progress.show(step),
      })
      report = await check()
    }
    context.progress.clear()
    if (options.json === true)
      await context.stdout.line(JSON.stringify({ dataPath, repaired: done, ...report }))
    else await context.stdout.lines([...actions(done, isDamaged), ...reportLines(dataPath, report)])
    return verdict(report)
  } finally {
    context.progress.clear()
    await fs.close()
  }
}

function actions(done: RepairReport | undefined, isDamaged: boolean): string[] {
  if (done !== undefined) {
    return [
      ...done.steps.map((step) => `done: ${step}`),
      `${done.quarantined} files were kept aside in .sediment/quarantine, each with its reason`,
      '',
    ]
  }
  if (!isDamaged) return ['nothing to repair: what is found below, if anything, the next open mends', '']
  return [
    'a repair would redo what the log can still say, keep of each damaged block what can be read, and move everything',
    'else, the log included, to .sediment/quarantine. Copy the directory first; then: sediment repair --apply',
    '',
  ]
}
