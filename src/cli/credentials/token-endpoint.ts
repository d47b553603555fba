import { request } from 'node:https'
import type { SecureContext } from 'node:tls'
import { TokenError } from '../../kafka/security/token.ts'
import { masked } from './masked.ts'

const ANSWER_BYTES_MAX = 64 * 1024

export interface TokenRequest {
  /** `https:`. */
  readonly endpoint: string
  readonly clientId: string
  readonly clientSecret: string
  readonly scope: string | undefined
  readonly timeoutMs: number
  readonly secureContext: SecureContext | undefined
}

/**
 * What an OAuth 2 token endpoint answers to client credentials (RFC 6749, 4.4); redirects are not followed.
 * @throws {TokenError} which shows nothing of a token or secret
 */
export function askTokenEndpoint(options: TokenRequest): Promise<string> {
  const { endpoint, clientId, clientSecret, scope, timeoutMs, secureContext } = options
  const body = new URLSearchParams({
    grant_type: 'client_credentials',
    ...(scope === undefined ? {} : { scope }),
  }).toString()
  const login = Buffer.from(`${formEncoded(clientId)}:${formEncoded(clientSecret)}`).toString('base64')
  return new Promise((resolve, reject) => {
    const fail = (why: string): void =>
      reject(new TokenError(`kafka.sasl.oauth.tokenEndpoint (${endpoint}) ${why}`))
    const post = request(endpoint, {
      method: 'POST',
      agent: false,
      signal: AbortSignal.timeout(timeoutMs),
      ...(secureContext === undefined ? {} : { secureContext }),
      headers: {
        authorization: `Basic ${login}`,
        accept: 'application/json',
        'content-type': 'application/x-www-form-urlencoded',
        'content-length': Buffer.byteLength(body),
      },
    })
    post.on('error', (error) => {
      fail(
        error.name === 'AbortError' ? `does not answer within ${timeoutMs} ms` : `failed: ${error.message}`,
      )
    })
    post.on('response', (response) => {
      let answer = ''
      response.setEncoding('utf8')
      response.on('error', (error) => fail(`failed: ${error.message}`))
      response.on('data', (text: string) => {
        answer += text
        if (answer.length > ANSWER_BYTES_MAX)
          response.destroy(new Error(`more than ${ANSWER_BYTES_MAX} bytes`))
      })
      response.on('end', () => {
        if (response.statusCode === 200) resolve(answer)
        else
          fail(`answers ${String(response.statusCode)}${complaint(answer.replaceAll(clientSecret, '***'))}`)
      })
    })
    post.end(body)
  })
}

/** As RFC 6749 (2.3.1) wants name and secret before they are joined. */
function formEncoded(text: string): string {
  return new URLSearchParams({ '': text }).toString().slice(1)
}

/** `error` and `error_description` of RFC 6749 (5.2). */
function complaint(answer: string): string {
  try {
    const { error, error_description: more } = JSON.parse(answer) as Record<string, unknown>
    const said = [error, more].filter((part) => typeof part === 'string').map((part) => masked(part))
    return said.length === 0 ? '' : `: ${said.join(', ')}`
  } catch {
    return ''
  }
}
