#!/usr/bin/env node
/**
 * `npm run crash:nth [-- --only write,sync] [--workers 2]`: a workload of two processes on the simulated disk, with
 * the n-th call of each kind failing, for every n, every error, once and from then on, ended by a kill and by a power
 * cut. `--nth 12 --errno EIO --times once --end kill` plays one of them.
 */
import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { installDependencies } from './runner/install.mjs'

const args = process.argv.slice(2)
const at = args.indexOf('--workers')
const workers = args.includes('--nth') ? 1 : at === -1 ? 2 : Number(args.splice(at, 2)[1])

function work(shard) {
  const child = spawn(
    process.execPath,
    ['--import', 'tsx', 'test/crash/nth.ts', '--shard', `${shard}/${workers}`, ...args],
    { cwd: fileURLToPath(new URL('..', import.meta.url)), stdio: ['ignore', 'pipe', 'inherit'] },
  )
  let output = ''
  child.stdout.on('data', (chunk) => (output += chunk))
  return new Promise((resolve, reject) => {
    child.once('exit', (code, signal) => {
      if (code === 2) process.exit(2)
      const last = output.trimEnd().split('\n').at(-1)
      if (last.startsWith('{')) resolve(JSON.parse(last))
      else reject(new Error(`a worker ended: ${signal ?? code}\n${output}`))
    })
  })
}

await installDependencies()
const results = await Promise.all(Array.from({ length: workers }, (_, shard) => work(shard)))
const counts = new Map()
for (const result of results) {
  for (const [name, count] of Object.entries(result.counts)) counts.set(name, (counts.get(name) ?? 0) + count)
}
for (const [name, count] of [...counts].sort(([a], [b]) => (a < b ? -1 : 1))) {
  if (name.includes('.')) console.log(`${name.padEnd(32)} ${count}`)
}
const failed = results.reduce((sum, { failures }) => sum + failures.length, 0)
console.log(`${(counts.get('runs') ?? 0) - failed} passed, ${failed} failed`)
process.exitCode = failed === 0 ? 0 : 1
