export type SinkErrorCode =
  | 'ERR_STUCK' // a partition lags, nothing holds it back, and nothing moves (exit 8)
  | 'ERR_HELD' // all that is left to do is in held partitions (exit 8)
  | 'ERR_INTEGRITY' // what the source, the store and the ledger say does not fit together (exit 6)

/** The end of the sink. Match on `code`, never on the message. */
export class SinkError extends Error {
  override readonly name = 'SinkError'
  readonly code: SinkErrorCode

  constructor(code: SinkErrorCode, message: string) {
    super(message)
    this.code = code
  }
}
