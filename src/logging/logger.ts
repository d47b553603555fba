import { pino, stdSerializers, type Logger as PinoLogger } from 'pino'
import type { Logger } from '../base/logger.ts'
import { lineAsText } from './text-line.ts'

export interface LoggerOptions {
  readonly level: 'error' | 'warn' | 'info' | 'debug'
  /** `json`: an object a line, for machines. `text`: for people. */
  readonly format: 'json' | 'text'
  /** Takes whole lines, line end included, in order. */
  readonly write: (line: string) => void
}

/** The logger of the process; each room gets a child that names it. */
export interface RootLogger extends Logger {
  /** Lines of the child carry `room`. */
  child(room: string): Logger
}

/**
 * Lines are objects `{ level, time, room, …facts, message }`, the level as its name, the time in ISO 8601 UTC.
 * Errors under `error`, `err` or `cause` are written with code, message, stack and causes. Writing is synchronous:
 * a line is out before the process can end.
 */
export function createLogger({ level, format, write }: LoggerOptions): RootLogger {
  const root = pino(
    {
      level,
      base: null,
      messageKey: 'message',
      timestamp: () => `,"time":"${new Date().toISOString()}"`,
      formatters: { level: (label) => ({ level: label }) },
      serializers: {
        error: stdSerializers.errWithCause,
        err: stdSerializers.errWithCause,
        cause: stdSerializers.errWithCause,
      },
    },
    { write: format === 'json' ? write : (line) => write(lineAsText(line)) },
  )
  return { ...adapt(root), child: (room) => adapt(root.child({ room })) }
}

function adapt(logger: PinoLogger): Logger {
  return {
    error: (facts, message) => logger.error(facts, message),
    warn: (facts, message) => logger.warn(facts, message),
    info: (facts, message) => logger.info(facts, message),
    debug: (facts, message) => logger.debug(facts, message),
  }
}
