/** One jest run over named files, counted test by test. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { run } from './command.mjs'

/**
 * Counts what a jest report says. A file that did not run at all is one failure, and so is a skipped or pending
 * test: a test that does not run shows nothing.
 */
function count(report) {
  const filesBroken = report.numRuntimeErrorTestSuites
  const skipped = report.numPendingTests + report.numTodoTests
  return { passed: report.numPassedTests, failed: report.numFailedTests + filesBroken + skipped, skipped }
}

/**
 * @param {readonly string[]} files
 * @param {{ limitSeconds: number, workers?: number, environment?: Record<string, string> }} options
 * @returns {Promise<{ passed: number, failed: number, seconds: number, output: string }>} No files: nothing runs.
 */
export async function runJest(files, { limitSeconds, workers = 2, environment = {} }) {
  if (files.length === 0) return { passed: 0, failed: 0, seconds: 0, output: '' }
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
      { limitSeconds, environment },
    )
    let counts
    try {
      counts = count(JSON.parse(readFileSync(reportPath, 'utf8')))
    } catch {
      counts = { passed: 0, failed: files.length, skipped: 0 }
    }
    if (!result.ok && counts.failed === 0) counts.failed = 1
    const note = counts.skipped > 0 ? `\n${counts.skipped} skipped tests count as failed\n` : ''
    return {
      passed: counts.passed,
      failed: counts.failed,
      seconds: result.seconds,
      output: result.output + note,
    }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}
