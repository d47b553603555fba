import { playScriptsOf } from './changes/scripts-of-seed.ts'
import { Coverage } from './coverage.ts'
import { simulate } from './simulation.ts'

/** What a campaign asks of a worker process. */
interface Order {
  readonly seeds: readonly number[]
  /** Which simulation; the one of the write path unless said otherwise. */
  readonly simulation?: 'changes' | undefined
}

/** What it gets back, one answer an order. */
export interface Answer {
  readonly counts: readonly (readonly [name: string, count: number])[]
  /** Of the images that were recovered and compared. */
  readonly digests: readonly string[]
  readonly failures: readonly { readonly seed: number; readonly message: string }[]
}

async function run({ seeds, simulation }: Order): Promise<Answer> {
  const coverage = new Coverage()
  const failures: { seed: number; message: string }[] = []
  for (const seed of seeds) {
    try {
      await (simulation === 'changes' ? playScriptsOf(seed, coverage) : simulate(seed, coverage))
    } catch (error) {
      failures.push({ seed, message: error instanceof Error ? error.message : String(error) })
    }
  }
  return { counts: [...coverage.counts], digests: coverage.digests(), failures }
}

// A terminal interrupts the whole group; the campaign decides when this process ends.
process.on('SIGINT', () => undefined)

process.on('message', (order: Order) => {
  run(order).then(
    (answer) => process.send?.(answer),
    (error: unknown) => {
      console.error(error)
      process.exit(1)
    },
  )
})
