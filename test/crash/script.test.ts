import { expect, test } from '@jest/globals'
import { Coverage } from './coverage.ts'
import { crashEverywhere, scriptsOf } from './script.ts'

test('a store is whole after a crash at any operation of its creation', async () => {
  const coverage = new Coverage()
  await crashEverywhere('', 1, coverage)
  expect(coverage.of('crash.creation')).toBeGreaterThan(25)
})

test('every script of two steps survives crashes all along it', async () => {
  const coverage = new Coverage()
  for (const [index, script] of scriptsOf(2).entries()) await crashEverywhere(script, index, coverage, 8)
  expect(coverage.of('scripts')).toBe(49)
  expect(coverage.of('images')).toBeGreaterThan(500)
}, 120_000)
