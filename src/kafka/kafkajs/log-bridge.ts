import { logLevel, type LogEntry } from 'kafkajs'
import type { Logger } from '../../base/logger.ts'

/**
 * What kafkajs calls an error is mostly retried by it or by us: warnings here, answers with an error code less, and a
 * refused login, which whoever asked tells of.
 */
export function logBridge(logger: Logger): () => (entry: LogEntry) => void {
  return () =>
    ({ namespace, level, log }) => {
      const { message, ...rest } = log
      const facts = {
        part: namespace,
        ...Object.fromEntries(
          Object.entries(rest).filter(
            ([name]) => !['timestamp', 'logger', 'stack', 'helpUrl'].includes(name),
          ),
        ),
      }
      const isRoutine = /^Response |^SASL .* authentication failed/.test(message) || level !== logLevel.ERROR
      logger[isRoutine ? 'debug' : 'warn'](facts, `kafkajs: ${message}`)
    }
}
