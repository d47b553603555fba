import { expect, it } from '@jest/globals'
import { spawnSync } from 'node:child_process'
import { Metrics } from '../../src/metrics/metrics.ts'

function promtool(text: string): { status: number | null; said: string } {
  const { status, stdout, stderr, error } = spawnSync('promtool', ['check', 'metrics'], {
    input: text,
    encoding: 'utf8',
  })
  if (error !== undefined) throw error
  return { status, said: stdout + stderr }
}

it('promtool finds nothing to say about any metric, those of the process included', async () => {
  const metrics = new Metrics({ version: '0.0.0' })
  metrics.sink.batchAccepted({ topic: 'a', partition: 0, records: 1, bytes: 1 })
  expect(promtool(await metrics.text())).toEqual({ status: 0, said: '' })
})

it('promtool does find a misnamed metric', () => {
  expect(promtool('# HELP a_total x\n# TYPE a_total gauge\na_total 1\n').status).toBe(3)
})
