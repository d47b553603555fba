import type { FileSystem } from '../../fs/file-system.ts'
import type { LedgerRow } from '../../ledger/ledger-codec.ts'
import { LedgerError } from '../../ledger/ledger-error.ts'
import { OffsetLedger } from '../../ledger/offset-ledger.ts'
import type { LogCompanion } from '../../storage/index.ts'

/** A ledger that remembers why it cannot be read, and has then no partition, where others throw. */
export class ReadableLedger implements LogCompanion {
  /** The first reason. */
  failure: string | undefined
  readonly #ledger = new OffsetLedger()

  restore(snapshot: Uint8Array | undefined): void {
    this.#try(() => this.#ledger.restore(snapshot))
  }

  apply(delta: Uint8Array): void {
    if (this.failure === undefined) this.#try(() => this.#ledger.apply(delta))
  }

  snapshot(): Uint8Array {
    return this.#ledger.snapshot()
  }

  async spill(fs: FileSystem, directory: string): Promise<void> {
    await this.#ledger.spill(fs, directory)
  }

  /** Has these rows, from here on. */
  replace(rows: readonly LedgerRow[]): void {
    this.#ledger.replace(rows)
  }

  positions(): ReturnType<OffsetLedger['positions']> {
    return this.#ledger.positions()
  }

  #try(read: () => void): void {
    try {
      read()
    } catch (error) {
      if (!(error instanceof LedgerError)) throw error
      this.failure = error.message
      this.#ledger.restore(undefined)
    }
  }
}
