// Goal: whatever bytes a decoder is given, it says so with its own error or gives what is sound of them, at once and
// without much memory. Method: valid bytes changed in a few places, with the checksums put right or not, and bytes out
// of nowhere. The inputs are the same each time, so that a change is judged by what it changed; `npm run fuzz` looks for
// new ones.
import { describe, expect, test } from '@jest/globals'
import { fuzz } from './fuzz.ts'
import { fuzzTargets } from './targets.ts'

const RUNS = 600
const SEED = 20_261_123

const targets = await fuzzTargets()

describe.each(targets.map((target) => [target.name, target] as const))(
  'the decoder of %s',
  (_name, target) => {
    test('is never surprised, slow or greedy', async () => {
      const { whole, part, refused } = await fuzz(target, RUNS, SEED)
      // Else nothing was put to the test.
      expect(whole).toBeGreaterThan(0)
      expect(part + refused).toBeGreaterThan(0)
    })
  },
)
