#!/usr/bin/env node
/**
 * `npm test [-- --only kafka,kills]`: everything, from an empty clone. Installs and builds, then runs the check, which
 * computes, and beside it one group after another, which mostly wait; two at a time when the check is done. Each has its
 * budget; what one says is printed whole when it ends. The last line counts test cases and check steps.
 */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { kafkaDistribution } from './kafka/distribution.mjs'
import { checks, failureText, reportLine, runChecks } from './runner/checks.mjs'
import { hangFactor, isOnPath, projectRoot, run } from './runner/command.mjs'
import { installDependencies } from './runner/install.mjs'
import { runJest } from './runner/jest.mjs'
import { installPythonTools } from './runner/python-tools.mjs'
import { testFilesByGroup } from './runner/test-files.mjs'

const files = testFilesByGroup()
const failsWithoutTools = process.env.CI === 'true'

function jestGroup(name, budgetSeconds, tools, workers) {
  return {
    name,
    budgetSeconds,
    tools,
    empty: files[name].length === 0,
    run: () => runJest(files[name], { limitSeconds: budgetSeconds * hangFactor, workers }),
  }
}

/** A program of dev/ is one case, or as many as its last line says. */
function programGroup(name, budgetSeconds, tools, script, args) {
  return {
    name,
    budgetSeconds,
    tools,
    empty: !existsSync(join(projectRoot, script)),
    run: async () => {
      const result = await run(process.execPath, [script, ...args], {
        limitSeconds: budgetSeconds * hangFactor,
      })
      const said = /(\d+) passed, (\d+) failed\s*$/.exec(result.output)
      const passed = said === null ? Number(result.ok) : Number(said[1])
      const failed = said === null ? 0 : Number(said[2])
      return { ...result, passed, failed: result.ok ? failed : Math.max(failed, 1) }
    },
  }
}

/** Of everything, where nothing has to be fetched. */
const budgetSecondsWarm = 600
const broker = ['java', 'mvn']
/** Longest first: what is left when the check is done is short enough for two lanes to end together. */
const groups = [
  jestGroup('kafka', 300, [...broker, 'kcat', 'strace'], 2),
  programGroup('chaos', 150, broker, 'dev/chaos.mjs', ['--minutes', '1', '--seed', '20262', '--patient']),
  programGroup('kills', 60, broker, 'dev/crash-kill.mjs', ['--kills', '10']),
  jestGroup('deployment', 75, [...broker, 'python3', 'promtool'], 1),
  jestGroup('prometheus', 30, [...broker, 'prometheus', 'promtool'], 1),
]

async function fetchKafka() {
  const startedMs = performance.now()
  const seconds = () => (performance.now() - startedMs) / 1000
  try {
    await kafkaDistribution()
    return { ok: true, output: '', seconds: seconds() }
  } catch (error) {
    return { ok: false, output: `${error.message}\n`, seconds: seconds() }
  }
}

/** What groups need from the network where it is not cached. Fetched beside the check; a group waits for its own. */
const downloads = { 'Apache Kafka': fetchKafka, 'Python tools': installPythonTools }
const downloadsOf = {
  kafka: ['Apache Kafka'],
  kills: ['Apache Kafka'],
  chaos: ['Apache Kafka'],
  deployment: ['Apache Kafka', 'Python tools'],
  prometheus: ['Apache Kafka'],
}

const { values } = parseArgs({ options: { only: { type: 'string' } } })
const wanted = values.only?.split(',').map((name) => name.trim())
const isWanted = ({ name }) => wanted?.includes(name) ?? true
const unknown = wanted?.find((name) => ![...checks, ...groups].some((part) => part.name === name))
if (unknown !== undefined) {
  console.error(`no part "${unknown}"; parts: ${[...checks, ...groups].map(({ name }) => name).join(', ')}`)
  process.exit(2)
}

const total = { passed: 0, failed: 0 }
const notRun = []

function add(name, outcome, budgetSeconds) {
  total.passed += outcome.passed
  total.failed += outcome.failed
  console.log(reportLine(name, outcome, budgetSeconds))
  if (outcome.failed > 0) console.log(failureText(name, outcome.output))
}

function finish() {
  for (const line of notRun) console.log(`!!!! NOT RUN: ${line}`)
  console.log(`${total.passed} passed, ${total.failed} failed`)
  process.exit(total.failed === 0 ? 0 : 1)
}

const fetching = new Map()

/** Starts a download the first time it is asked for. */
function download(title) {
  if (!fetching.has(title)) {
    console.log(`${title}: fetching if it is not cached …`)
    const fetched = downloads[title]().then((result) => {
      if (result.seconds > 1) console.log(`${title}: fetched in ${result.seconds.toFixed(0)} s`)
      return { title, ...result }
    })
    fetching.set(title, fetched)
  }
  return fetching.get(title)
}

const startedMs = performance.now()
await installDependencies()
const built = await run('npm', ['run', '--silent', 'build'], { limitSeconds: 600 })
add('build', { passed: Number(built.ok), failed: Number(!built.ok), ...built }, 30)

const runnable = []
for (const group of groups.filter(isWanted)) {
  if (group.empty) {
    notRun.push(`${group.name}: there is nothing to run`)
    continue
  }
  const missing = group.tools.filter((tool) => !isOnPath(tool))
  if (missing.length === 0) {
    const pending = Promise.all(downloadsOf[group.name].map(download))
    runnable.push({ group, pending })
  } else {
    notRun.push(`${group.name}: not installed: ${missing.join(', ')}`)
    if (failsWithoutTools) total.failed++
  }
}

async function runGroup({ group, pending }) {
  const broken = (await pending).filter(({ ok }) => !ok)
  if (broken.length > 0) {
    const output = broken.map(({ title, output }) => `${title} could not be fetched:\n${output}`).join('\n')
    return { passed: 0, failed: 1, seconds: 0, output }
  }
  console.log(`${group.name.padEnd(12)} … (budget ${group.budgetSeconds} s)`)
  return group.run()
}

/** One group after another until none is left; a runner that breaks is a failure of its group and of no other. */
async function runGroups() {
  for (let next = runnable.shift(); next !== undefined; next = runnable.shift()) {
    const outcome = await runGroup(next).catch((error) => {
      return { passed: 0, failed: 1, seconds: 0, output: `${error.stack}` }
    })
    add(next.group.name, outcome, next.group.budgetSeconds)
  }
}

async function check() {
  const checked = await runChecks(checks.filter(isWanted), { fix: false })
  total.passed += checked.passed
  total.failed += checked.failed
}

await Promise.all([runGroups(), check().then(runGroups)])
const seconds = (performance.now() - startedMs) / 1000
console.log(
  `${seconds.toFixed(0)} s in all${seconds > budgetSecondsWarm ? ` (budget ${budgetSecondsWarm} s)` : ''}`,
)
finish()
