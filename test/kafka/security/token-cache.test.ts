import { beforeEach, describe, expect, it } from '@jest/globals'
import { TokenCache } from '../../../src/kafka/security/token-cache.ts'
import { TokenError, type Token } from '../../../src/kafka/security/token.ts'
import { ManualClock } from '../../support/manual-clock.ts'
import { RecordingLogger } from '../../support/recording-logger.ts'

describe('the token of all connections', () => {
  let clock: ManualClock
  let logger: RecordingLogger
  let given: (() => Promise<Token>) | undefined
  let asked: number
  let cache: TokenCache

  const nowMs = (): number => clock.nowUs() / 1000
  beforeEach(() => {
    clock = new ManualClock()
    logger = new RecordingLogger()
    asked = 0
    given = undefined
    cache = new TokenCache(
      () => {
        asked += 1
        return given?.() ?? Promise.resolve({ value: `t${asked}`, expiresAtMs: nowMs() + 100_000 })
      },
      clock,
      logger,
    )
  })
  const failing = (): Promise<Token> => Promise.reject(new TokenError('away'))

  it('is asked for once, however many want it', async () => {
    expect(await Promise.all([cache.token(), cache.token()])).toEqual(['t1', 't1'])
    await clock.advance(79_000)
    expect(await cache.token()).toBe('t1')
    expect(asked).toBe(1)
  })

  it('is replaced when a fifth of its life is left', async () => {
    await cache.token()
    await clock.advance(81_000)
    expect(await cache.token()).toBe('t2')
  })

  it('is asked for at every login where it does not tell its end', async () => {
    given = () => Promise.resolve({ value: 'endless', expiresAtMs: undefined })
    await cache.token()
    await cache.token()
    expect(asked).toBe(2)
  })

  it('serves to its end where no new one can be had, and that is told', async () => {
    await cache.token()
    given = failing
    await clock.advance(90_000)
    expect(await cache.token()).toBe('t1')
    expect(logger.lines.filter(({ level }) => level === 'warn')).toHaveLength(1)
    await clock.advance(11_000)
    await expect(cache.token()).rejects.toMatchObject({ code: 'ERR_TOKEN' })
    given = undefined
    expect(await cache.token()).toMatch(/^t/)
  })

  it('is refused when it has ended already', async () => {
    given = () => Promise.resolve({ value: 'old', expiresAtMs: nowMs() })
    await expect(cache.token()).rejects.toThrow('has ended already')
  })
})
