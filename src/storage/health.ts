import { StorageError } from './errors.ts'

/** Whether an open store is well. Its first failed write or sync ends that, for good: what is on disk is not known. */
export class Health {
  readonly #onFailure: (cause: unknown) => void
  #failure: { cause: unknown } | undefined

  /** @param onFailure called once */
  constructor(onFailure: (cause: unknown) => void) {
    this.#onFailure = onFailure
  }

  get isGood(): boolean {
    return this.#failure === undefined
  }

  fail(cause: unknown): void {
    if (this.#failure !== undefined) return
    this.#failure = { cause }
    this.#onFailure(cause)
  }

  /** @throws {StorageError} `ERR_POISONED`, or what the store has failed with */
  requireGood(): void {
    if (this.#failure === undefined) return
    const { cause } = this.#failure
    if (cause instanceof StorageError) throw cause
    const why = cause instanceof Error ? cause.message : String(cause)
    throw new StorageError('ERR_POISONED', `the store stopped after a failure: ${why}`, {}, cause)
  }
}
