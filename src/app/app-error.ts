export type AppErrorCode =
  | 'ERR_ENTRY_CONFLICT' // two configured topics would share an entry (exit 2)
  | 'ERR_NO_RULE' // no rule takes a configured topic (exit 2)

export class AppError extends Error {
  override readonly name = 'AppError'
  readonly code: AppErrorCode

  constructor(code: AppErrorCode, message: string) {
    super(message)
    this.code = code
  }
}
