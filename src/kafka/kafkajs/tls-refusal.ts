/** What a failed TLS connection means; none of it passes by itself. */

interface TlsError extends Error {
  readonly code?: string
  /** Of the broker, where its names are what is wrong. */
  readonly cert?: { readonly subjectaltname?: string }
}

const UNKNOWN_AUTHORITY: ReadonlySet<string> = new Set([
  'SELF_SIGNED_CERT_IN_CHAIN',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'CERT_SIGNATURE_FAILURE',
])
/** How brokers refuse a client certificate: Java says `bad certificate` for a missing one. */
const REFUSED_CERTIFICATE = /ALERT_(BAD_CERTIFICATE|CERTIFICATE_REQUIRED|HANDSHAKE_FAILURE)$/
const USELESS_CERTIFICATE =
  /ALERT_(CERTIFICATE_EXPIRED|CERTIFICATE_REVOKED|CERTIFICATE_UNKNOWN|UNSUPPORTED_CERTIFICATE|UNKNOWN_CA|ACCESS_DENIED)$/
const VERSIONS = /(PROTOCOL_VERSION|UNSUPPORTED_PROTOCOL|NO_PROTOCOLS_AVAILABLE)$/

/** What is wrong and what to do about it; `undefined` for what may pass by itself. */
export function tlsRefusal(error: unknown, broker: string): string | undefined {
  const { code = '', cert, message } = error as TlsError
  if (UNKNOWN_AUTHORITY.has(code)) {
    return `the certificate of ${broker} is of an authority that is not known here (${message}); put the authority's certificate into kafka.ssl.caFile`
  }
  if (code === 'CERT_HAS_EXPIRED') {
    return `the certificate of ${broker} has expired; renew it on the broker, or set the clock here right`
  }
  if (code === 'CERT_NOT_YET_VALID') {
    return `the certificate of ${broker} is not valid yet; set the clock here right, or that of the authority`
  }
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID') {
    const names = cert?.subjectaltname === undefined ? 'no name' : cert.subjectaltname
    return `the certificate of ${broker} is for another host (${names}); write brokers by a name that it has, or put that name into kafka.ssl.serverName`
  }
  if (REFUSED_CERTIFICATE.test(code)) {
    return `${broker} refuses the TLS connection, as brokers do without a client certificate that they accept; check kafka.ssl.certFile and kafka.ssl.keyFile`
  }
  if (USELESS_CERTIFICATE.test(code)) {
    return `${broker} refuses our client certificate: it has expired, or the broker does not know its authority; renew kafka.ssl.certFile and kafka.ssl.keyFile`
  }
  if (VERSIONS.test(code)) {
    return `${broker} and we have no version of TLS in common; check kafka.ssl.minVersion`
  }
  if (code === 'ERR_SSL_WRONG_VERSION_NUMBER') {
    return `${broker} does not answer in TLS; set kafka.ssl.enabled to false, or take the port of its TLS listener`
  }
  return undefined
}
