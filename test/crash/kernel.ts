/** See `dev/crash-kernel.mjs`, which runs this. */
import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { isOnPath } from '../../dev/runner/command.mjs'
import { failCalls } from './kernel/call-faults.ts'
import { evictOnFullDisk } from './kernel/evicting.ts'
import { fillDisk } from './kernel/full-disk.ts'
import { moveUntilCut } from './kernel/moving.ts'
import { failRuns } from './kernel/run-faults.ts'
import { cutPowerAgainAndAgain } from './kernel/power-cuts.ts'
import { LoopDisk, VolatileDisk, command, type ScratchDisk } from './kernel/scratch-disk.ts'

const { values } = parseArgs({
  options: {
    cuts: { type: 'string', default: '20' },
    seed: { type: 'string', default: '1' },
    only: { type: 'string' },
    /** A library that the engine is started with, such as libeatmydata.so: then cuts must lose something. */
    preload: { type: 'string' },
  },
})
const cuts = Number(values.cuts)
const seed = Number(values.seed)
const environment = values.preload === undefined ? {} : { LD_PRELOAD: values.preload }
const startedMs = performance.now()
const log = (line: string): void => {
  console.log(`${((performance.now() - startedMs) / 1000).toFixed(0).padStart(5)} s  ${line}`)
}

const interrupted = new AbortController()
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  // The runner's own listeners, which came with the modules above, would leave everything mounted.
  process.removeAllListeners(signal)
  process.once(signal, () => {
    log('interrupted: ends after the cut that is under way')
    interrupted.abort()
  })
}

const folder = mkdtempSync(join(tmpdir(), 'sediment-kernel-'))

interface Part {
  readonly name: string
  /** Why it cannot run here. */
  readonly missing: () => string | undefined
  readonly run: () => Promise<void>
}

function powerCuts(name: string, make: (folder: string) => ScratchDisk): Part {
  return {
    name,
    missing: () => missingForDisks(name),
    run: async () => {
      const disk = make(join(folder, name))
      try {
        const report = await cutPowerAgainAndAgain(disk, {
          cuts,
          seed,
          log,
          environment,
          signal: interrupted.signal,
        })
        log(`${disk.name}: ${JSON.stringify(report)}`)
      } finally {
        await disk.dispose()
      }
    },
  }
}

function missingForDisks(name: string): string | undefined {
  if (process.getuid?.() !== 0) return 'only root may mount'
  const programs =
    name === 'nbd-ext4' || name === 'nbd-xfs'
      ? ['nbdkit', 'nbdfuse', 'fusermount3', 'losetup', `mkfs.${name.slice(4)}`]
      : ['losetup', 'python3', `mkfs.${name}`]
  const absent = programs.filter((program) => !isOnPath(program))
  if (absent.length > 0) return `not installed: ${absent.join(', ')}`
  if (!existsSync('/dev/loop-control')) return 'this kernel has no loop devices'
  if (name.startsWith('nbd') && !existsSync('/dev/fuse')) return 'this kernel has no FUSE'
  return undefined
}

const callFaults: Part = {
  name: 'calls',
  missing: () => {
    const absent = ['strace', 'prlimit'].filter((program) => !isOnPath(program))
    if (absent.length > 0) return `not installed: ${absent.join(', ')}`
    return process.getuid?.() === 0 ? undefined : 'only root may mount'
  },
  run: () => failCalls(join(folder, 'calls'), log, interrupted.signal),
}

const runs: Part = {
  name: 'run',
  missing: () => {
    const absent = ['java', 'mvn', 'strace', 'prlimit'].filter((program) => !isOnPath(program))
    if (absent.length > 0) return `not installed: ${absent.join(', ')}`
    return process.getuid?.() === 0 ? undefined : 'only root may mount'
  },
  run: async () => {
    await fillDisk(folder, log)
    await failRuns(folder, log)
  },
}

const quotas: Part = {
  name: 'fifo',
  missing: () => (process.getuid?.() === 0 ? undefined : 'only root may mount'),
  run: () => evictOnFullDisk(folder, log),
}

const moves: Part = {
  name: 'moves',
  missing: () => missingForDisks('ext4'),
  run: async () => {
    const disk = new LoopDisk('ext4', join(folder, 'moves'))
    try {
      await moveUntilCut(disk, { cuts, seed, log, signal: interrupted.signal })
    } finally {
      await disk.dispose()
    }
  },
}

const parts: readonly Part[] = [
  runs,
  quotas,
  moves,
  callFaults,
  powerCuts('ext4', (place) => new LoopDisk('ext4', place)),
  powerCuts('xfs', (place) => new LoopDisk('xfs', place)),
  powerCuts('nbd-ext4', (place) => new VolatileDisk('ext4', place)),
  powerCuts('nbd-xfs', (place) => new VolatileDisk('xfs', place)),
]

const wanted = values.only?.split(',')
const unknown = wanted?.find((name) => !parts.some((part) => part.name === name))
if (unknown !== undefined || !Number.isSafeInteger(cuts) || cuts < 1 || !Number.isSafeInteger(seed)) {
  console.error(
    `write: npm run crash:kernel -- --cuts 500 --seed 1 --only ${parts.map(({ name }) => name).join()}`,
  )
  process.exit(2)
}

const notRun: string[] = []
let passed = 0
let failed = 0
const isInMemory =
  process.getuid?.() === 0 && spawnSync('mount', ['-t', 'tmpfs', 'none', folder]).status === 0
try {
  for (const part of parts) {
    if (interrupted.signal.aborted || !(wanted?.includes(part.name) ?? true)) continue
    const why = part.missing()
    if (why !== undefined) {
      notRun.push(`${part.name}: ${why}`)
      continue
    }
    try {
      await part.run()
      passed++
    } catch (error) {
      failed++
      log(`FAILED ${part.name}: ${error instanceof Error ? error.stack : String(error)}`)
    }
  }
} finally {
  if (isInMemory) command('umount', '-l', folder)
  rmSync(folder, { recursive: true, force: true })
}
for (const line of notRun) console.log(`!!!! NOT RUN: ${line}`)
if (process.env['CI'] === 'true') failed += notRun.length
console.log(`${passed} passed, ${failed} failed`)
process.exit(failed === 0 ? 0 : 1)
