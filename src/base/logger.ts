/**
 * Structured logging, facts first. Levels: `error` = someone must act; `warn` = odd, but nothing is lost;
 * `info` = life events; `debug` = never per record.
 */
export interface Logger {
  error(facts: object, message: string): void
  warn(facts: object, message: string): void
  info(facts: object, message: string): void
  debug(facts: object, message: string): void
}

const nothing = (): void => {}

export const silentLogger: Logger = { error: nothing, warn: nothing, info: nothing, debug: nothing }
