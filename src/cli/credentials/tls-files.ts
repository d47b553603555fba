import { createSecureContext, type ConnectionOptions } from 'node:tls'
import type { Logger } from '../../base/logger.ts'
import type { Settings } from '../../config/settings.ts'
import { assertCertificate } from './assert-certificate.ts'
import { RotatingFiles, type ConfiguredFile } from './rotating-files.ts'
import { secretText } from './secret-text.ts'

type TlsSettings = Settings['kafka']['ssl']
type FileName = 'caFile' | 'certFile' | 'keyFile' | 'keyPassphraseFile'

const FILE_NAMES: readonly FileName[] = ['caFile', 'certFile', 'keyFile', 'keyPassphraseFile']

/** What OpenSSL says, for people; it never quotes what a file holds. */
const TROUBLES: Readonly<Record<string, string>> = {
  ERR_OSSL_X509_KEY_VALUES_MISMATCH: 'the key does not belong to the certificate',
  ERR_OSSL_BAD_DECRYPT:
    'the key is encrypted and the passphrase in kafka.ssl.keyPassphraseFile is missing or wrong',
  ERR_OSSL_PEM_NO_START_LINE: 'that is no PEM (-----BEGIN …)',
  ERR_OSSL_UNSUPPORTED: 'the key is no PEM (-----BEGIN … PRIVATE KEY-----)',
}

/**
 * Options for each new connection, made of the files as they are then; `undefined` without TLS.
 * @throws {UsageError} when a file cannot be read or used
 */
export function tlsFromFiles(ssl: TlsSettings, logger: Logger): (() => ConnectionOptions) | undefined {
  if (!ssl.enabled) return undefined
  const files = FILE_NAMES.flatMap((name): ConfiguredFile[] =>
    ssl[name] === undefined ? [] : [{ key: `kafka.ssl.${name}`, path: ssl[name] }],
  )
  const rotating = new RotatingFiles(files, (contents) => secureContext(ssl, contents), logger)
  return () => ({
    secureContext: rotating.current(),
    rejectUnauthorized: ssl.rejectUnauthorized,
    ...(ssl.serverName === undefined ? {} : { servername: ssl.serverName }),
  })
}

function secureContext({ minVersion }: TlsSettings, contents: ReadonlyMap<string, Buffer>) {
  const [ca, cert, key, passphrase] = FILE_NAMES.map((name) => contents.get(`kafka.ssl.${name}`))
  if (ca !== undefined) assertCertificate(ca)
  try {
    return createSecureContext({
      minVersion,
      ...(ca === undefined ? {} : { ca }),
      ...(cert === undefined ? {} : { cert }),
      ...(key === undefined ? {} : { key }),
      ...(passphrase === undefined ? {} : { passphrase: secretText(passphrase) }),
    })
  } catch (error) {
    throw new Error(troubleOf(error as NodeJS.ErrnoException), { cause: error })
  }
}

function troubleOf({ code, message }: NodeJS.ErrnoException): string {
  return TROUBLES[code ?? ''] ?? message
}
