import { expect, it } from '@jest/globals'
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { catalogue } from '../../src/metrics/catalogue.ts'

/** Goal: each alert fires when it should and not otherwise. Method: promtool, with series made by hand. */

const RULES = 'helm/sediment/rules/alerts.yaml'

function promtool(...args: string[]): { status: number | null; said: string } {
  const { status, stdout, stderr, error } = spawnSync('promtool', args, { encoding: 'utf8' })
  if (error !== undefined) throw error
  return { status, said: stdout + stderr }
}

it('the rules are rules, and of metrics that there are', () => {
  const { status, said } = promtool('check', 'rules', RULES)
  expect({ status, said }).toMatchObject({ status: 0, said: expect.stringContaining('11 rules found') })
  const names = new Set(
    Object.values(catalogue).flatMap(({ name, kind }) =>
      kind === 'histogram' ? ['bucket', 'sum', 'count'].map((part) => `${name}_${part}`) : [name],
    ),
  )
  const used = readFileSync(RULES, 'utf8').match(/sediment_[a-z_]+(?=[ {[)])/g) ?? []
  expect(used.filter((name) => !names.has(name))).toEqual([])
  expect(used.length).toBeGreaterThan(5)
})

it('they fire as they should', () => {
  expect(promtool('test', 'rules', 'test/integration/alerts/alerts-test.yaml')).toMatchObject({ status: 0 })
})
