import type { AuthenticationProviderArgs, Authenticator, Mechanism } from 'kafkajs'
import type { Login, TokenLogin } from '../security/login.ts'
import { TokenError } from '../security/token.ts'
import {
  errorText,
  KafkaJSConnectionError,
  KafkaJSSASLAuthenticationError,
  passwordProviders,
} from './internals.ts'

const SEPARATOR = '\u0001'
const LENGTH_BYTES = 4

/** The login as kafkajs takes it: each time with what holds then. */
export function mechanismOf(login: Login): Mechanism {
  return {
    mechanism: login.mechanism,
    authenticationProvider: (args) =>
      login.mechanism === 'oauthbearer'
        ? { authenticate: () => authenticateByToken(login, args) }
        : passwordAuthenticator(login, args),
  }
}

function passwordAuthenticator(
  { mechanism, credentials }: Exclude<Login, TokenLogin>,
  args: AuthenticationProviderArgs,
): Authenticator {
  return passwordProviders[mechanism](credentials())(args)
}

/**
 * OAUTHBEARER (RFC 7628). kafkajs' own does not look at the answer, so that a token that is refused looks like a
 * connection that breaks.
 */
async function authenticateByToken(
  { token, extensions }: TokenLogin,
  { host, port, saslAuthenticate }: AuthenticationProviderArgs,
): Promise<void> {
  let value: string
  try {
    value = await token()
  } catch (error) {
    if (!(error instanceof TokenError)) throw error
    // As if the broker could not be reached: that is tried again, and the token may come.
    throw new KafkaJSConnectionError(`no token for the login: ${error.message}`, {
      broker: `${host}:${port}`,
    })
  }
  const pairs = Object.entries({ auth: `Bearer ${value}`, ...extensions }).map(
    ([name, text]) => `${name}=${text}`,
  )
  const message = ['n,,', ...pairs, '', ''].join(SEPARATOR)
  try {
    const complaint = await saslAuthenticate({ request: bytesOf(message), response: textOf })
    // The broker tells the reason when its complaint is acknowledged.
    if (complaint) await saslAuthenticate({ request: bytesOf(SEPARATOR), response: textOf })
    if (complaint) throw new Error(complaint)
  } catch (error) {
    throw new KafkaJSSASLAuthenticationError(`SASL OAUTHBEARER authentication failed: ${errorText(error)}`)
  }
}

function bytesOf(message: string): { encode(): Buffer } {
  const text = Buffer.from(message, 'utf8')
  const length = Buffer.alloc(LENGTH_BYTES)
  length.writeInt32BE(text.length)
  return { encode: () => Buffer.concat([length, text]) }
}

const textOf = {
  decode: (raw: Buffer): Buffer => raw.subarray(LENGTH_BYTES),
  parse: (text: Buffer): string => text.toString('utf8'),
}
