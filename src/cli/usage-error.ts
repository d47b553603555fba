/** What was typed makes no sense, or names something that is not there (exit 2). */
export class UsageError extends Error {
  override readonly name = 'UsageError'
  readonly code = 'ERR_USAGE'
}
