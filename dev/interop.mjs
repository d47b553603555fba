#!/usr/bin/env node
/**
 * `npm run interop [-- --killed 100] [--seed 1] [--only cases|kills] [--build]`: opens copies of our directories in the real ReductStore
 * server, and what that server left in Sediment (`test/interop/`). Says NOT RUN where there is no server.
 */
import { buildReductStore, findReductStore, ReductStoreMissing } from './reductstore/distribution.mjs'
import { projectRoot, run } from './runner/command.mjs'
import { installDependencies } from './runner/install.mjs'
import { join } from 'node:path'

const args = process.argv.slice(2)
const isToBuild = args.includes('--build')

let binary
try {
  if (isToBuild) await buildReductStore()
  binary = findReductStore()
} catch (error) {
  if (!(error instanceof ReductStoreMissing)) throw error
  console.log(`!!!! NOT RUN: interop: ${error.message}`)
  console.log('0 passed, 0 failed')
  // Who asked for the build, and CI, must not take silence for success.
  process.exit(isToBuild || process.env.CI === 'true' ? 1 : 0)
}

await installDependencies()
const ran = await run(
  process.execPath,
  [
    '--disable-warning=ExperimentalWarning',
    '--import',
    'tsx',
    join('test', 'interop', 'run.ts'),
    ...args.filter((argument) => argument !== '--build'),
  ],
  // It has a limit of its own, by the number of kills.
  { live: true, limitSeconds: 24 * 3600, environment: { REDUCTSTORE_BIN: binary }, directory: projectRoot },
)
process.exitCode = ran.ok ? 0 : 1
