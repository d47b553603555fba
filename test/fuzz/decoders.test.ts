// Goal: whatever bytes a decoder is given, it says so with its own error or gives what is sound of them, at once and
// without much memory. Method: valid bytes changed in a few places, with the checksums put right or not, and bytes out
// of nowhere. `npm run fuzz` does the same for longer.
import { describe, expect, test } from '@jest/globals'
import { fuzz } from './fuzz.ts'
import { fuzzTargets } from './targets.ts'

const RUNS = 600
const seed = Date.now() % 0x7fff_ffff

const targets = await fuzzTargets()

describe.each(targets.map((target) => [target.name, target] as const))(
  'the decoder of %s',
  (_name, target) => {
    test('is never surprised, slow or greedy', async () => {
      const { whole, part, refused } = await fuzz(target, RUNS, seed)
      // Else nothing was put to the test.
      expect(whole).toBeGreaterThan(0)
      expect(part + refused).toBeGreaterThan(0)
    })
  },
)
