#!/usr/bin/env node
/**
 * `npm run crash:kill -- --kills 200 --seed 1`: kills the real `sediment run` beside a real Kafka, again and again,
 * and checks that nothing is lost or doubled (`test/crash/kill/`). Installs and builds what is out of date.
 */
import { readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { projectRoot, run } from './runner/command.mjs'
import { installDependencies } from './runner/install.mjs'

function isBuilt() {
  const built = statSync(join(projectRoot, 'dist', 'cli', 'main.js'), { throwIfNoEntry: false })
  if (built === undefined) return false
  const sources = readdirSync(join(projectRoot, 'src'), { recursive: true })
  return sources.every((path) => statSync(join(projectRoot, 'src', path)).mtimeMs <= built.mtimeMs)
}

await installDependencies()
if (!isBuilt()) {
  console.log('building …')
  const built = await run('npm', ['run', '--silent', 'build'], { limitSeconds: 180 })
  if (!built.ok) {
    console.error(built.output)
    process.exit(1)
  }
}

const ran = await run(
  process.execPath,
  ['--import', 'tsx', 'test/crash/kill-loop.ts', ...process.argv.slice(2)],
  // It has a limit of its own, by the number of kills.
  { live: true, limitSeconds: 24 * 3600 },
)
process.exitCode = ran.ok ? 0 : 1
