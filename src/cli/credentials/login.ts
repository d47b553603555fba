import { createSecureContext, type SecureContext } from 'node:tls'
import type { Clock } from '../../base/clock.ts'
import type { Logger } from '../../base/logger.ts'
import type { Settings } from '../../config/settings.ts'
import type { Login } from '../../kafka/security/login.ts'
import { parseToken } from '../../kafka/security/token.ts'
import { TokenCache } from '../../kafka/security/token-cache.ts'
import type { Context } from '../context.ts'
import { assertCertificate } from './assert-certificate.ts'
import { RotatingFiles } from './rotating-files.ts'
import { secretText } from './secret-text.ts'
import { runTokenCommand } from './token-command.ts'
import { askTokenEndpoint } from './token-endpoint.ts'

type SaslSettings = Settings['kafka']['sasl']

/**
 * How the configuration wants us to log in; `undefined` for no login.
 * @throws {UsageError} when a file cannot be read or is empty
 */
export function loginFrom(
  sasl: SaslSettings,
  env: Context['env'],
  clock: Clock,
  logger: Logger,
): Login | undefined {
  const { mechanism, username = '', oauth } = sasl
  if (mechanism === undefined) return undefined
  if (mechanism !== 'oauthbearer') {
    const password = secretFrom('kafka.sasl.passwordFile', sasl.passwordFile, sasl.password, logger)
    return { mechanism, credentials: () => ({ username, password: password() }) }
  }
  const ask = oauth.tokenEndpoint === undefined ? commandOf(oauth, env) : endpointOf(oauth, logger)
  const cache = new TokenCache(async () => parseToken(await ask(), clock.nowUs() / 1000), clock, logger)
  return { mechanism, token: () => cache.token(), extensions: extensionsOf(oauth.extensions) }
}

function commandOf({ tokenCommand, timeoutMs }: SaslSettings['oauth'], env: Context['env']) {
  return () => runTokenCommand(tokenCommand, timeoutMs, env)
}

function endpointOf(oauth: SaslSettings['oauth'], logger: Logger): () => Promise<string> {
  const { tokenEndpoint: endpoint = '', clientId = '', scope, timeoutMs, caFile } = oauth
  const key = 'kafka.sasl.oauth.clientSecretFile'
  const secret = secretFrom(key, oauth.clientSecretFile, oauth.clientSecret, logger)
  const authorities = caFile === undefined ? undefined : authoritiesOf(caFile, logger)
  return () =>
    askTokenEndpoint({
      endpoint,
      clientId,
      clientSecret: secret(),
      scope,
      timeoutMs,
      secureContext: authorities?.current(),
    })
}

function authoritiesOf(path: string, logger: Logger): RotatingFiles<SecureContext> {
  const key = 'kafka.sasl.oauth.caFile'
  return new RotatingFiles([{ key, path }], (contents) => trusting(contents.get(key)!), logger)
}

function trusting(ca: Buffer): SecureContext {
  assertCertificate(ca)
  return createSecureContext({ ca })
}

function secretFrom(
  key: string,
  path: string | undefined,
  text: string | undefined,
  logger: Logger,
): () => string {
  if (path === undefined) return () => text ?? ''
  const file = new RotatingFiles([{ key, path }], (contents) => secretText(contents.get(key)!), logger)
  return () => file.current()
}

function extensionsOf(pairs: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    pairs.map((pair) => [pair.slice(0, pair.indexOf('=')), pair.slice(pair.indexOf('=') + 1)]),
  )
}
