#!/usr/bin/env node
/** `npm run check [-- --only lint,unit] [-- --fix]`: everything that needs no Kafka, no Java and no network. */
import { parseArgs } from 'node:util'
import { checks, runChecks } from './runner/checks.mjs'
import { installDependencies } from './runner/install.mjs'

const names = checks.map(({ name }) => name).join(', ')
let values
try {
  values = parseArgs({
    options: { only: { type: 'string' }, fix: { type: 'boolean', default: false } },
  }).values
} catch (error) {
  console.error(`${error.message}\nusage: check [--only STEP,…] [--fix]; steps: ${names}`)
  process.exit(2)
}
const wanted = values.only?.split(',').map((name) => name.trim())
const unknown = wanted?.find((name) => !checks.some((step) => step.name === name))
if (unknown !== undefined) {
  console.error(`no step "${unknown}"; steps: ${names}`)
  process.exit(2)
}

await installDependencies()
const { passed, failed } = await runChecks(
  checks.filter(({ name }) => wanted?.includes(name) ?? true),
  { fix: values.fix },
)
console.log(`${passed} passed, ${failed} failed`)
process.exit(failed === 0 ? 0 : 1)
