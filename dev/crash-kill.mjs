#!/usr/bin/env node
/**
 * `npm run crash:kill -- --kills 200 --seed 1`: kills the real `sediment run` beside a real Kafka, again and again,
 * and checks that nothing is lost or doubled (`test/crash/kill/`). Installs and builds what is out of date.
 */
import { buildWhereStale } from './runner/build.mjs'
import { run } from './runner/command.mjs'
import { installDependencies } from './runner/install.mjs'

await installDependencies()
await buildWhereStale()
const ran = await run(
  process.execPath,
  ['--import', 'tsx', 'test/crash/kill-loop.ts', ...process.argv.slice(2)],
  // It has a limit of its own, by the number of kills.
  { live: true, limitSeconds: 24 * 3600 },
)
process.exitCode = ran.ok ? 0 : 1
