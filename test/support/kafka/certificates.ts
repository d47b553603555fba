import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)

/** PEM files: a certificate and its key. */
export interface Certified {
  readonly certFile: string
  readonly keyFile: string
}

export interface Wanted {
  /** Common name, and the name of the files. */
  readonly name: string
  /** Such as `DNS:localhost,IP:127.0.0.1`. */
  readonly names?: string
  /** Below 0 for one that is no longer valid. */
  readonly days?: number
  /** Encrypts the key. */
  readonly passphrase?: string
}

/** A certificate authority of its own, made by openssl in `folder`. */
export async function makeAuthority(folder: string, name: string): Promise<Certified> {
  const { certFile, keyFile } = filesOf(folder, name)
  await run('openssl', [
    ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'],
    ...['-days', '30', '-subj', `/CN=${name}`, '-keyout', keyFile, '-out', certFile],
  ])
  return { certFile, keyFile }
}

/** A certificate by `authority`. */
export async function makeCertificate(
  folder: string,
  authority: Certified,
  { name, names = `DNS:${name}`, days = 30, passphrase }: Wanted,
): Promise<Certified> {
  const { certFile, keyFile } = filesOf(folder, name)
  const requestFile = join(folder, `${name}.csr`)
  const namesFile = join(folder, `${name}.names`)
  await writeFile(namesFile, `subjectAltName=${names}\n`)
  await run('openssl', [
    ...['req', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1'],
    ...(passphrase === undefined ? ['-nodes'] : ['-passout', `pass:${passphrase}`]),
    ...['-subj', `/CN=${name}`, '-keyout', keyFile, '-out', requestFile],
  ])
  await run('openssl', [
    ...['x509', '-req', '-in', requestFile, '-CA', authority.certFile, '-CAkey', authority.keyFile],
    ...[
      '-set_serial',
      `0x${randomBytes(8).toString('hex')}`,
      '-days',
      String(days),
      '-extfile',
      namesFile,
      '-out',
      certFile,
    ],
  ])
  return { certFile, keyFile }
}

function filesOf(folder: string, name: string): Certified {
  return { certFile: join(folder, `${name}.pem`), keyFile: join(folder, `${name}.key`) }
}
