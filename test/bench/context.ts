import type { Plan } from './plan.ts'

/** What every suite is handed. */
export interface BenchContext {
  readonly plan: Plan
  /** A directory of this run on the disk that is measured; removed at the end. */
  readonly workPath: string
  /** A place of its own for one store, which need not exist. */
  readonly dataPath: (part: string) => Promise<string>
  /** The broker, started with the first suite that needs it. */
  readonly bootstrap: () => Promise<string>
  readonly say: (line: string) => void
}
