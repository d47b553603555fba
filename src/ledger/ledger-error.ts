export type LedgerErrorCode =
  | 'ERR_LEDGER_FORMAT' // bytes that are no ledger, or one of a newer release
  | 'ERR_LEDGER_CONTIGUITY' // an advance that does not continue what is durable, or does not add up

/** Match on `code`, never on the message. */
export class LedgerError extends Error {
  override readonly name = 'LedgerError'
  readonly code: LedgerErrorCode

  constructor(code: LedgerErrorCode, message: string) {
    super(message)
    this.code = code
  }
}
