import type { Logger } from '../../src/base/logger.ts'

export interface LoggedLine {
  readonly level: keyof Logger
  readonly facts: object
  readonly message: string
}

/** Keeps what is logged. */
export class RecordingLogger implements Logger {
  readonly lines: LoggedLine[] = []

  error(facts: object, message: string): void {
    this.lines.push({ level: 'error', facts, message })
  }

  warn(facts: object, message: string): void {
    this.lines.push({ level: 'warn', facts, message })
  }

  info(facts: object, message: string): void {
    this.lines.push({ level: 'info', facts, message })
  }

  debug(facts: object, message: string): void {
    this.lines.push({ level: 'debug', facts, message })
  }
}
