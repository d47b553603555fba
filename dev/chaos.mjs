#!/usr/bin/env node
/**
 * `npm run chaos -- --minutes 30 --seed 1`: three real sinks in one group, three real brokers, and everything that can
 * happen to them (`test/chaos/`). Installs and builds what is out of date.
 */
import { buildWhereStale } from './runner/build.mjs'
import { run } from './runner/command.mjs'
import { installDependencies } from './runner/install.mjs'

await installDependencies()
await buildWhereStale()
const ran = await run(
  process.execPath,
  ['--import', 'tsx', 'test/chaos/main.ts', ...process.argv.slice(2)],
  // It has a limit of its own, by the minutes.
  { live: true, limitSeconds: 24 * 3600 },
)
process.exitCode = ran.ok ? 0 : 1
