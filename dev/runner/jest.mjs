/** One jest run over named files, counted test by test. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { run } from './command.mjs'

/**
 * Counts what a jest report says. A file that did not run at all is one failure. A skipped or pending test shows
 * nothing: it fails under `CI=true`, and is named elsewhere, where a tool it needs may be missing.
 */
function count(report) {
  const skipped = report.numPendingTests + report.numTodoTests
  const failed = report.numFailedTests + report.numRuntimeErrorTestSuites
  const skippedFail = process.env.CI === 'true' ? skipped : 0
  return { passed: report.numPassedTests, failed: failed + skippedFail, skipped }
}

/**
 * @param {readonly string[]} files
 * @param {{ limitSeconds: number, workers?: number, environment?: Record<string, string> }} options
 * @returns {Promise<{ passed: number, failed: number, skipped: number, seconds: number, output: string }>}
 *   No files: nothing runs.
 */
export async function runJest(files, { limitSeconds, workers = 2, environment = {} }) {
  if (files.length === 0) return { passed: 0, failed: 0, skipped: 0, seconds: 0, output: '' }
  const folder = mkdtempSync(join(tmpdir(), 'sediment-jest-'))
  const reportPath = join(folder, 'report.json')
  try {
    const result = await run(
      process.execPath,
      [
        '--disable-warning=ExperimentalWarning',
        '--experimental-vm-modules',
        'node_modules/jest/bin/jest.js',
        '--json',
        `--outputFile=${reportPath}`,
        workers === 1 ? '--runInBand' : `--maxWorkers=${workers}`,
        '--runTestsByPath',
        ...files,
      ],
      { limitSeconds, environment: { FORCE_COLOR: '0', ...environment } },
    )
    let counts
    try {
      counts = count(JSON.parse(readFileSync(reportPath, 'utf8')))
    } catch {
      counts = { passed: 0, failed: files.length, skipped: 0 }
    }
    if (!result.ok && counts.failed === 0) counts.failed = 1
    return { ...counts, seconds: result.seconds, output: result.output }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}
