import type { Clock } from '../../base/clock.ts'
import type { Logger } from '../../base/logger.ts'
import { TokenError, type Token } from './token.ts'

/** A new token is asked for when this share of the life of the last one is over. */
const FRESH_SHARE = 0.8

interface Held {
  readonly token: Token
  readonly freshUntilMs: number
}

/** One token for all connections, replaced before it ends; one request for it at a time. */
export class TokenCache {
  private readonly fetch: () => Promise<Token>
  private readonly clock: Clock
  private readonly logger: Logger
  private held: Held | undefined
  private fetching: Promise<Token> | undefined

  constructor(fetch: () => Promise<Token>, clock: Clock, logger: Logger) {
    this.fetch = fetch
    this.clock = clock
    this.logger = logger
  }

  /** A token that does not end soon; where no new one can be had, the last one while it lasts. @throws {TokenError} */
  async token(): Promise<string> {
    const { held } = this
    if (held !== undefined && this.nowMs() < held.freshUntilMs) return held.token.value
    this.fetching ??= this.renew().finally(() => (this.fetching = undefined))
    try {
      return (await this.fetching).value
    } catch (error) {
      if (held === undefined || this.nowMs() >= (held.token.expiresAtMs ?? 0)) throw error
      this.logger.warn(
        { reason: (error as Error).message },
        'no new token for the login; the last one still holds',
      )
      return held.token.value
    }
  }

  private async renew(): Promise<Token> {
    const askedMs = this.nowMs()
    const token = await this.fetch()
    const { expiresAtMs } = token
    // A token that does not tell its end is asked for anew at each login.
    if (expiresAtMs === undefined) return token
    if (expiresAtMs <= this.nowMs()) throw new TokenError('the token that was given has ended already')
    this.held = { token, freshUntilMs: askedMs + (expiresAtMs - askedMs) * FRESH_SHARE }
    this.logger.debug({ expiresAt: new Date(expiresAtMs).toISOString() }, 'a token for the login')
    return token
  }

  private nowMs(): number {
    return this.clock.nowUs() / 1000
  }
}
