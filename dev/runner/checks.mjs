/** The steps of `npm run check`, and running them two at a time. */
import { hangFactor, runPackage } from './command.mjs'
import { checkForeignNames } from './foreign-names.mjs'
import { checkGeneratedProtobuf } from './generated-protobuf.mjs'
import { runJest } from './jest.mjs'
import { testFilesByGroup } from './test-files.mjs'

/**
 * A step gives `passed` and `failed`: a tool is one case, jest one a test. `slots` of the two it takes while it
 * runs; `budgetSeconds` is what it may take on a quiet machine, three times that ends it.
 *
 * @typedef {{ passed: number, failed: number, skipped?: number, seconds: number, output: string }} Outcome
 * @typedef {{ name: string, slots: 1 | 2, budgetSeconds: number, run: (fix: boolean) => Promise<Outcome> }} Step
 */

const slotsAtOnce = 2

function toolStep(name, budgetSeconds, start) {
  return {
    name,
    slots: 1,
    budgetSeconds,
    run: async (fix) => {
      const { ok, seconds, output } = await start(fix)
      return { passed: ok ? 1 : 0, failed: ok ? 0 : 1, seconds, output }
    },
  }
}

function packageStep(name, budgetSeconds, script, args, fixArgs = args) {
  return toolStep(name, budgetSeconds, (fix) =>
    runPackage(script, fix ? fixArgs : args, { limitSeconds: budgetSeconds * hangFactor }),
  )
}

function jestStep(name, budgetSeconds) {
  return {
    name,
    slots: 2,
    budgetSeconds,
    run: () => runJest(testFilesByGroup()[name], { limitSeconds: budgetSeconds * hangFactor }),
  }
}

const typesCache = 'node_modules/.cache/typecheck.tsbuildinfo'
/**
 * Files that have not changed are not linted again. Types of other files can make a finding in one that has not changed:
 * CI lints all.
 */
const lintCache =
  process.env.CI === 'true'
    ? []
    : ['--cache', '--cache-strategy', 'content', '--cache-location', 'node_modules/.cache/eslint/']

/** @type {Step[]} longest first, so that two slots stay full. */
export const checks = [
  packageStep('lint', 60, 'eslint/bin/eslint.js', ['.', ...lintCache], ['.', '--fix']),
  packageStep('typecheck', 60, 'typescript/bin/tsc', [
    '-p',
    '.',
    '--incremental',
    '--tsBuildInfoFile',
    typesCache,
  ]),
  packageStep('format', 60, 'prettier/bin/prettier.cjs', ['--check', '.'], ['--write', '.']),
  packageStep('deadcode', 60, 'knip/bin/knip.js', []),
  packageStep('boundaries', 60, 'dependency-cruiser/bin/dependency-cruise.mjs', [
    '--config',
    '.dependency-cruiser.cjs',
    'src',
    'test',
  ]),
  toolStep('protobuf', 30, checkGeneratedProtobuf),
  toolStep('names', 10, checkForeignNames),
  jestStep('unit', 150),
  jestStep('golden', 30),
  jestStep('simulation', 150),
]

export function reportLine(name, { passed, failed, skipped = 0, seconds }, budgetSeconds) {
  const mark = failed > 0 ? 'FAILED' : 'ok'
  const over = seconds > budgetSeconds ? `  (over its ${budgetSeconds} s)` : ''
  const left = skipped > 0 ? `  !!!! ${skipped} NOT RUN` : ''
  const counts = `${passed} passed, ${failed} failed${left}`
  return `${name.padEnd(12)} ${mark.padEnd(6)} ${seconds.toFixed(1).padStart(6)} s  ${counts}${over}`
}

/** The end of what a failing step said; jest and the tools put what matters last. */
export function failureText(name, output) {
  const lines = output.trimEnd().split('\n')
  const cut = lines.length > 400 ? [`… ${lines.length - 400} lines before`, ...lines.slice(-400)] : lines
  return [`---- ${name} ----`, ...cut, `---- end of ${name} ----`].join('\n')
}

/**
 * Runs `steps` in order, as many at once as slots allow, and prints one line each, with the output of those
 * that fail. Steps run one after another with `fix`, since they write the same files.
 *
 * @param {readonly Step[]} steps
 * @param {{ fix: boolean }} options
 * @returns {Promise<{ passed: number, failed: number }>}
 */
export async function runChecks(steps, { fix }) {
  const total = { passed: 0, failed: 0 }
  const waiting = [...steps]
  const running = new Set()
  let slotsTaken = 0
  while (waiting.length > 0 || running.size > 0) {
    const next = waiting[0]
    const slots = fix ? slotsAtOnce : next?.slots
    if (next !== undefined && slotsTaken + slots <= slotsAtOnce) {
      waiting.shift()
      slotsTaken += slots
      const ended = next.run(fix).then((outcome) => {
        running.delete(ended)
        slotsTaken -= slots
        total.passed += outcome.passed
        total.failed += outcome.failed
        console.log(reportLine(next.name, outcome, next.budgetSeconds))
        if (outcome.failed > 0) console.log(failureText(next.name, outcome.output))
      })
      running.add(ended)
    } else {
      await Promise.race(running)
    }
  }
  return total
}
