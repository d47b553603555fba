/** `--once`: a crash on the way, then every message that was fed is looked for in the store. */
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { compare, verify } from './check.mjs'
import { shortPath } from './state.mjs'
import { bytes, count, table } from './view.mjs'

const settleTimeoutMs = 60_000
const secondsBeforeKill = { from: 4, to: 7 }
const secondsAfterKill = 4
const burstSeconds = 4

/** @returns {Promise<boolean>} whether everything is as it must be */
export async function killAndCompare(parts) {
  const { view, feeder, sink, signal, stopShowing } = parts
  const { from, to } = secondsBeforeKill
  await sleep(1000 * (from + Math.random() * (to - from)), undefined, { signal })
  await killInTheMiddle(parts)
  await sleep(1000, undefined, { signal })
  view.print('starting it again on the same directory …')
  await sink.start(signal)
  view.print(recoveryLine(await sink.metrics(), sink.pid))
  await sleep(1000 * secondsAfterKill, undefined, { signal })
  await feeder.stop()
  view.print(`feeding has ended with ${count(feeder.fed())} messages; waiting until all are durable …`)
  await settle(parts)
  stopShowing()
  const exitCode = await sink.stop()
  view.keep()
  view.print(`sediment stopped by SIGTERM, exit code ${exitCode}`)
  return (await report(parts)) && exitCode === 0
}

/** Kills while there is work that nobody has acknowledged; makes some where the sink is too quick. */
async function killInTheMiddle({ view, state, feeder, sink, signal }) {
  for (;;) {
    feeder.burst(burstSeconds)
    await sleep(Math.random() * 100, undefined, { signal })
    await state.look()
    const behind = feeder.fed() - state.durable()
    if (behind <= 0) continue
    const { pid } = sink
    await sink.kill()
    view.print(`SIGKILL to sediment (pid ${pid}): ${count(behind)} messages were fed and not durable yet`)
    return
  }
}

function recoveryLine(metrics, pid) {
  const value = (name) => metrics.sum(`sediment_recovery_${name}`)
  return (
    `running again (pid ${pid}): recovered in ${value('duration_seconds').toFixed(2)} s, ` +
    `${count(value('frames'))} groups redone from ${bytes(value('log_bytes'))} of commit log, ` +
    `${count(value('torn_tail_bytes'))} unacknowledged bytes dropped`
  )
}

async function settle({ state, signal }) {
  const deadlineMs = performance.now() + settleTimeoutMs
  for (;;) {
    await state.look()
    if (state.isAllDurable()) return
    if (performance.now() > deadlineMs) throw new Error(`not everything is durable: ${state.line()}`)
    await sleep(200, undefined, { signal })
  }
}

async function report({ view, feeder, client, names, groupId, projectPath, dataPath }) {
  const binPath = path.join(projectPath, 'bin', 'sediment.cjs')
  view.print('verifying checksums, then reading every message back …')
  const verified = await verify(binPath, dataPath)
  const compared = await compare(binPath, dataPath, feeder.book)
  const committed = await client.committedOffsets(groupId, names)
  const uncommitted = [...feeder.nextOffsets].filter(([place, next]) => committed.get(place) !== next)

  const entries = new Map(verified.byEntry.map((row) => [row.entry, row]))
  const places = [...new Set([...compared.keys(), ...entries.keys()])].sort()
  const rows = places.map((place) => rowOf(place, compared.get(place), entries.get(place)))
  const all = rows.reduce((sum, row) => sum.map((cell, at) => cell + row.cells[at]), Array(7).fill(0))
  const text = ([fed, stored, missing, twice, altered, size, blocks]) =>
    [fed, stored, missing, twice, altered].map(count).concat(bytes(size), count(blocks))
  view.print()
  const titles = ['entry', 'fed', 'stored', 'missing', 'twice', 'altered', 'bytes', 'blocks']
  const lines = [titles, ...rows.map(({ place, cells }) => [place, ...text(cells)]), ['all', ...text(all)]]
  for (const line of table(lines)) view.print(`  ${line}`)
  view.print()
  const [fed, stored, missing, twice, altered] = all
  for (const { severity, path: place, message } of verified.findings)
    view.print(`verify: ${severity}: ${place}: ${message}`)
  for (const [place, next] of uncommitted)
    view.print(`${place}: ${next} is durable, Kafka has ${committed.get(place)} committed`)
  view.print(
    `${count(fed)} messages fed, ${count(stored)} stored: ${count(missing)} missing, ${count(twice)} twice, ${count(altered)} altered. ` +
      `${count(verified.contentChecked)} checksums verified, ${verified.findings.length} findings.`,
  )
  view.print(`The data is in ${shortPath(dataPath)}`)
  const isExact = missing === 0 && twice === 0 && altered === 0 && fed > 0 && fed === stored
  return isExact && verified.records === stored && verified.findings.length === 0 && uncommitted.length === 0
}

/** What was stored and never fed counts as altered; so does what `verify` and `query` see differently. */
function rowOf(place, compared, verified) {
  const { fed = 0, stored = 0, missing = 0, twice = 0, altered = 0, strange = 0 } = compared ?? {}
  const { records = 0, contentBytes = 0, blocks = 0 } = verified ?? {}
  const disputed = Math.abs(records - stored)
  return { place, cells: [fed, records, missing, twice, altered + strange + disputed, contentBytes, blocks] }
}
