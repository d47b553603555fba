/**
 * One side of a comparison in a process of its own, told by its parent when to take the next step:
 *
 *     fork('step-child.ts', ['growth', '{…}'])   'next' → { result: … }   'end' → exits
 */
import { once } from 'node:events'
import type { StepsName } from './step-process.ts'

type Steps = (options: never) => AsyncGenerator<unknown, void, void>

const modules: Readonly<Record<StepsName, () => Promise<{ steps: Steps }>>> = {
  growth: () => import('./growth.ts'),
  'point-read': () => import('./point-read.ts'),
  scan: () => import('./scan.ts'),
  reopen: () => import('./reopen.ts'),
  'many-entries': () => import('./many-entries.ts'),
  checkpoint: () => import('./checkpoint.ts'),
  late: () => import('./late.ts'),
  'hard-times': () => import('./hard-times.ts'),
}

const { steps } = await modules[process.argv[2] as StepsName]()
const running = steps(JSON.parse(process.argv[3] ?? '') as never)
for (;;) {
  const [message] = (await once(process, 'message')) as [string]
  if (message === 'end') break
  const { done, value } = await running.next()
  if (done === true) throw new Error('there is no further step')
  process.send?.({ result: value })
}
await running.next()
process.disconnect()
