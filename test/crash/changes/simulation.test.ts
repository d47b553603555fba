import { expect, test } from '@jest/globals'
import fc from 'fast-check'
import { Coverage } from '../coverage.ts'
import { script } from './scripts.ts'
import { ChangeSimulation } from './simulation.ts'

/**
 * Goal: after a crash at any moment of any change, each change is there whole or not at all, and nothing else is touched.
 * Method: random scripts, each crashed at many of its operations; see simulation.ts. A failure prints seed and script.
 */
test('changes survive crashes whole or not at all', async () => {
  const coverage = new Coverage()
  await fc.assert(
    fc.asyncProperty(script, fc.nat(), async (commands, seed) => {
      await new ChangeSimulation(seed, coverage).play(commands)
    }),
    {
      seed: Number(process.env['SEED'] ?? 4),
      numRuns: Number(process.env['RUNS'] ?? 60),
      endOnFailure: true,
    },
  )
  expect(coverage.digests().length).toBeGreaterThan(400)
  expect(coverage.of('blocks.rewritten')).toBeGreaterThan(2)
  expect(coverage.of('blocks.evicted')).toBeGreaterThan(2)
  expect(coverage.of('opens.owing')).toBeGreaterThan(2)
  for (const kind of [
    'labels',
    'remove',
    'removeRange',
    'together',
    'begin',
    'finish',
    'attach',
    'renameEntry',
    'checksums',
  ])
    expect(coverage.of(`during.${kind}`)).toBeGreaterThan(5)
}, 300_000)
