import { X509Certificate } from 'node:crypto'

/** OpenSSL takes authorities that are none in silence. @throws {Error} unless there is a certificate in `pem` */
export function assertCertificate(pem: Buffer): void {
  try {
    new X509Certificate(pem)
  } catch (cause) {
    throw new Error('there is no certificate (-----BEGIN CERTIFICATE-----) among the authorities', { cause })
  }
}
