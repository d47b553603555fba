#!/usr/bin/env node
/**
 * `npm run bench [-- --quick] [--only ingest,engine] [--json FILE]`: how fast the built sink is beside its peers. From an
 * empty clone: installs, builds, then hands over to `test/bench/main.ts`, which says what is measured and how.
 */
import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { projectRoot, run } from './runner/command.mjs'
import { installDependencies } from './runner/install.mjs'

await installDependencies()
const built = await run('npm', ['run', '--silent', 'build'], { limitSeconds: 180 })
if (!built.ok) {
  console.error(built.output)
  process.exit(1)
}

const script = join('test', 'bench', 'main.ts')
const bench = spawn(process.execPath, ['--import', 'tsx', script, ...process.argv.slice(2)], {
  cwd: projectRoot,
  // Paths on the command line are those of the caller.
  env: { ...process.env, BENCH_DIRECTORY: process.cwd() },
  stdio: 'inherit',
})
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => bench.kill(signal))
bench.once('close', (code) => process.exit(code ?? 1))
