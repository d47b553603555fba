/** What a token command or endpoint gave. */
export interface Token {
  readonly value: string
  /** Milliseconds since the epoch; `undefined` when nothing tells. */
  readonly expiresAtMs: number | undefined
}

/** No token could be had; `message` shows nothing of what was given. Trying again may help. */
export class TokenError extends Error {
  override readonly name = 'TokenError'
  readonly code = 'ERR_TOKEN'
}

/** What a bearer token consists of (RFC 6750); it must not reach beyond its place in the login. */
const BEARER = /^[A-Za-z0-9._~+/=-]+$/

/**
 * A bare token, or JSON as token endpoints answer: `access_token` with `expires_in` in seconds. A JSON web token
 * tells its end itself.
 * @throws {TokenError}
 */
export function parseToken(text: string, nowMs: number): Token {
  const trimmed = text.trim()
  if (!trimmed.startsWith('{')) return tokenOf(trimmed, undefined)
  const answer = parseObject(trimmed)
  if (answer === undefined) throw new TokenError('what was given as token is no JSON')
  const { access_token: value, expires_in: seconds } = answer
  if (typeof value !== 'string') throw new TokenError('what was given as token has no access_token')
  // Some endpoints write the number as text.
  const lifeMs = Number(seconds ?? Number.NaN) * 1000
  return tokenOf(value, lifeMs > 0 && Number.isFinite(lifeMs) ? nowMs + lifeMs : undefined)
}

function tokenOf(value: string, expiresAtMs: number | undefined): Token {
  if (value === '') throw new TokenError('an empty token was given')
  if (!BEARER.test(value))
    throw new TokenError('what was given as token is none: it has characters that no token has')
  return { value, expiresAtMs: expiresAtMs ?? endOf(value) }
}

/** What the claims of a JSON web token say; its signature is the broker's business. */
function endOf(value: string): number | undefined {
  const parts = value.split('.')
  if (parts.length !== 3) return undefined
  const claims = parseObject(Buffer.from(parts[1] as string, 'base64url').toString('utf8'))
  const seconds = claims?.['exp']
  return typeof seconds === 'number' && Number.isFinite(seconds) ? seconds * 1000 : undefined
}

function parseObject(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined
  } catch {
    return undefined
  }
}
