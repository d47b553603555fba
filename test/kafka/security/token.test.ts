import { describe, expect, it } from '@jest/globals'
import { parseToken } from '../../../src/kafka/security/token.ts'

const NOW_MS = 1_700_000_000_000
const part = (claims: unknown): string => Buffer.from(JSON.stringify(claims)).toString('base64url')
const webToken = (claims: unknown): string => `${part({ alg: 'none' })}.${part(claims)}.c2ln`

describe('a token', () => {
  it.each<[string, string, string, number | undefined]>([
    ['bare', 'abc-._~+/=\n', 'abc-._~+/=', undefined],
    ['as endpoints answer', '{"access_token":"abc","expires_in":60}', 'abc', NOW_MS + 60_000],
    ['with the number as text', '{"access_token":"abc","expires_in":"60"}', 'abc', NOW_MS + 60_000],
    ['without an end', '{"access_token":"abc"}', 'abc', undefined],
    [
      'that tells its end',
      webToken({ exp: 1_700_000_100 }),
      webToken({ exp: 1_700_000_100 }),
      1_700_000_100_000,
    ],
    ['that tells no end', webToken({}), webToken({}), undefined],
    ['with three parts that are no claims', 'a.b.c', 'a.b.c', undefined],
  ])('is read %s', (_, text, value, expiresAtMs) => {
    expect(parseToken(text, NOW_MS)).toEqual({ value, expiresAtMs })
  })

  it.each([
    ['nothing', ' \n'],
    ['a page', '<html>secret-page</html>'],
    ['what reaches beyond its place', 'abc\u0001auth=secret-other'],
    ['two lines', 'secret-a\nsecret-b'],
    ['broken JSON', '{"access_token":"secret-t'],
    ['JSON without it', '{"error":"secret-no"}'],
    ['JSON with another type', '{"access_token":["secret"]}'],
  ])('is not: %s, and the error does not show it', (_, text) => {
    expect(() => parseToken(text, NOW_MS)).toThrow(expect.objectContaining({ code: 'ERR_TOKEN' }))
    expect(() => parseToken(text, NOW_MS)).not.toThrow(/secret/)
  })
})
