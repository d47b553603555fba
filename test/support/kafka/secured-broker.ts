import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startBroker } from '../../../dev/kafka/broker.mjs'
import { makeAuthority, makeCertificate, type Certified } from './certificates.ts'

/** A real broker with a listener for every way to be let in, and for some to be refused. */
export interface SecuredBroker {
  readonly folder: string
  /** Plain, for feeding. */
  readonly bootstrap: string
  /** TLS with PLAIN, SCRAM and OAUTHBEARER. */
  readonly login: string
  /** TLS with a client certificate. */
  readonly mutual: string
  /** TLS with a certificate that has expired, and with one for `kafka.test` only. */
  readonly expired: string
  readonly named: string
  readonly authority: Certified
  /** Signs nothing that the broker has or knows. */
  readonly stranger: Certified
  /** A client certificate, its key under `passphrase`, and one that has expired. */
  readonly client: Certified
  readonly passphrase: string
  readonly oldClient: Certified
  /** By user: alice logs in by PLAIN, bob by SCRAM-SHA-256, carol by SCRAM-SHA-512. */
  readonly passwords: { readonly alice: string; readonly bob: string; readonly carol: string }
  stop(): Promise<void>
}

const PASSWORDS = { alice: 'alice-Pw5f0c1e', bob: 'bob-Pw77aa01', carol: 'carol-Pw90b3d2' }
const PASSPHRASE = 'key-Pass4c21'
const MECHANISMS = ['PLAIN', 'SCRAM-SHA-256', 'SCRAM-SHA-512', 'OAUTHBEARER']
const HERE = 'DNS:localhost,IP:127.0.0.1'
const MODULES = 'org.apache.kafka.common.security'

/** @param properties over those of the broker */
export async function startSecuredBroker(properties: Record<string, string> = {}): Promise<SecuredBroker> {
  const folder = await mkdtemp(join(tmpdir(), 'sediment-secured-'))
  const authority = await makeAuthority(folder, 'authority')
  const stranger = await makeAuthority(folder, 'stranger')
  const [good, old, elsewhere, client, oldClient] = await Promise.all([
    makeCertificate(folder, authority, { name: 'broker', names: HERE }),
    makeCertificate(folder, authority, { name: 'old-broker', names: HERE, days: -1 }),
    makeCertificate(folder, authority, { name: 'kafka.test' }),
    makeCertificate(folder, authority, { name: 'client', passphrase: PASSPHRASE }),
    makeCertificate(folder, authority, { name: 'old-client', days: -1 }),
  ])
  const broker = await startBroker({
    extraListeners: { LOGIN: 'SASL_SSL', MUTUAL: 'SSL', EXPIRED: 'SSL', NAMED: 'SSL' },
    scramUsers: [
      `SCRAM-SHA-256=[name=bob,password=${PASSWORDS.bob}]`,
      `SCRAM-SHA-512=[name=carol,password=${PASSWORDS.carol}]`,
    ],
    properties: {
      'sasl.enabled.mechanisms': MECHANISMS.join(','),
      ...jaas('plain', `${MODULES}.plain.PlainLoginModule`, `user_alice="${PASSWORDS.alice}"`),
      ...jaas('scram-sha-256', `${MODULES}.scram.ScramLoginModule`),
      ...jaas('scram-sha-512', `${MODULES}.scram.ScramLoginModule`),
      // Without other handlers the broker takes tokens that nobody has signed.
      ...jaas(
        'oauthbearer',
        `${MODULES}.oauthbearer.OAuthBearerLoginModule`,
        'unsecuredLoginStringClaim_sub="broker"',
      ),
      'ssl.truststore.type': 'PEM',
      'ssl.truststore.location': authority.certFile,
      ...(await keyStore('', good)),
      ...(await keyStore('listener.name.expired.', old)),
      ...(await keyStore('listener.name.named.', elsewhere)),
      'listener.name.mutual.ssl.client.auth': 'required',
      ...properties,
    },
  })
  const listener = (name: string): string => broker.listeners[name]!
  return {
    folder,
    bootstrap: broker.bootstrap,
    login: listener('LOGIN'),
    mutual: listener('MUTUAL'),
    expired: listener('EXPIRED'),
    named: listener('NAMED'),
    authority,
    stranger,
    client,
    passphrase: PASSPHRASE,
    oldClient,
    passwords: PASSWORDS,
    async stop() {
      await broker.stop()
      await rm(folder, { recursive: true })
    },
  }
}

function jaas(mechanism: string, module: string, options = ''): Record<string, string> {
  return { [`listener.name.login.${mechanism}.sasl.jaas.config`]: `${module} required ${options};` }
}

/** Kafka wants key and certificate in one file, the key first. */
async function keyStore(prefix: string, { certFile, keyFile }: Certified): Promise<Record<string, string>> {
  const path = `${certFile}.store`
  await writeFile(path, Buffer.concat([await readFile(keyFile), await readFile(certFile)]))
  return { [`${prefix}ssl.keystore.type`]: 'PEM', [`${prefix}ssl.keystore.location`]: path }
}
