import type { Output } from './output.ts'
import type { ProgressLine } from './progress-line.ts'

/** The process as the commands see it. */
export interface Context {
  readonly stdin: AsyncIterable<Uint8Array>
  readonly stdout: Output
  /** Standard error, for people. Never fails. */
  readonly note: (line: string) => void
  readonly progress: ProgressLine
  readonly env: Readonly<Record<string, string | undefined>>
  readonly version: string
  readonly nowUs: () => number
  /**
   * Calls back at the first SIGTERM or SIGINT; at the second the process ends at once, with exit code 143 or 130. Only
   * for commands that have something to finish.
   */
  readonly onStop: (stop: (signal: string) => void) => void
}
