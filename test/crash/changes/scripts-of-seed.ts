import fc from 'fast-check'
import type { Coverage } from '../coverage.ts'
import { script } from './scripts.ts'
import { ChangeSimulation } from './simulation.ts'

/** Scripts a seed. */
const SCRIPTS = 3

/** Plays a few random scripts of changes, the same for the same seed. @throws {SimulationFailure} with the script */
export async function playScriptsOf(seed: number, coverage: Coverage): Promise<void> {
  const scripts = fc.sample(script, { seed, numRuns: SCRIPTS })
  for (const [index, commands] of scripts.entries()) {
    try {
      await new ChangeSimulation(seed * SCRIPTS + index, coverage).play(commands)
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error)
      throw new Error(`${why}\nscript ${index} of seed ${seed}: ${JSON.stringify(commands)}`, {
        cause: error,
      })
    }
  }
}
