// Goal: certificates that are replaced on disk are used by the next connection, and broken ones never are.
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals'
import { copyFile, mkdir, mkdtemp, rename, rm, symlink, writeFile } from 'node:fs/promises'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connect, createServer, type ConnectionOptions, type Server } from 'node:tls'
import { readFileSync } from 'node:fs'
import { tlsFromFiles } from '../../../src/cli/credentials/tls-files.ts'
import { loadSettings } from '../../../src/config/load.ts'
import { makeAuthority, makeCertificate, type Certified } from '../../support/kafka/certificates.ts'
import { requireTool } from '../../support/needs.ts'
import { RecordingLogger } from '../../support/recording-logger.ts'

const describeWithOpenssl = requireTool('openssl') ? describe : describe.skip

describeWithOpenssl('TLS from files', () => {
  let folder: string
  let authority: Certified
  let first: Certified
  let second: Certified
  let server: Server
  let mounted: { certFile: string; keyFile: string; passphraseFile: string }
  const logger = new RecordingLogger()

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'sediment-tls-'))
    authority = await makeAuthority(folder, 'authority')
    first = await makeCertificate(folder, authority, { name: 'first', passphrase: 'one' })
    second = await makeCertificate(folder, authority, { name: 'second', passphrase: 'two' })
    const own = await makeCertificate(folder, authority, { name: 'broker.test' })
    server = createServer({
      cert: readFileSync(own.certFile),
      key: readFileSync(own.keyFile),
      ca: readFileSync(authority.certFile),
      requestCert: true,
    })
    server.on('secureConnection', (socket) =>
      socket.end(`${String(socket.getPeerCertificate().subject?.CN)} ${socket.getProtocol()}`),
    )
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  }, 60_000)

  afterAll(async () => {
    server?.close()
    if (folder !== undefined) await rm(folder, { recursive: true })
  })

  /** As Kubernetes does: a folder a version, and links that are swapped. */
  let version = 0
  async function mount(of: Partial<Certified>, passphrase: string): Promise<void> {
    const current = join(folder, `mounted-${++version}`)
    await mkdir(current)
    if (of.certFile !== undefined) await copyFile(of.certFile, join(current, 'tls.crt'))
    if (of.keyFile !== undefined) await copyFile(of.keyFile, join(current, 'tls.key'))
    await writeFile(join(current, 'passphrase'), `${passphrase}\n`)
    await symlink(current, join(folder, 'data.new'))
    await rename(join(folder, 'data.new'), join(folder, 'data'))
  }

  beforeEach(async () => {
    await mount(first, 'one')
    const data = join(folder, 'data')
    mounted = {
      certFile: join(data, 'tls.crt'),
      keyFile: join(data, 'tls.key'),
      passphraseFile: join(data, 'passphrase'),
    }
    logger.lines.length = 0
  })

  function tls(...set: string[]): () => ConnectionOptions {
    const { settings } = loadSettings({
      env: {},
      set: [
        ...['kafka.topics=a', 'kafka.ssl.enabled=true', `kafka.ssl.caFile=${authority.certFile}`],
        ...[`kafka.ssl.certFile=${mounted.certFile}`, `kafka.ssl.keyFile=${mounted.keyFile}`],
        ...[`kafka.ssl.keyPassphraseFile=${mounted.passphraseFile}`, 'kafka.ssl.serverName=broker.test'],
        ...set,
      ],
    })
    return tlsFromFiles(settings.kafka.ssl, logger)!
  }

  /** What the server saw: the name in our certificate, and the version of TLS. */
  function greet(options: ConnectionOptions): Promise<string> {
    const { port } = server.address() as AddressInfo
    return new Promise((resolve, reject) => {
      const socket = connect({ host: '127.0.0.1', port, ...options })
      let said = ''
      socket.setEncoding('utf8').on('data', (text: string) => (said += text))
      socket.on('error', reject).on('end', () => resolve(said))
    })
  }

  it('shows the client certificate, under a passphrase, to a server of the name asked for', async () => {
    expect(await greet(tls()())).toBe('first TLSv1.3')
    await expect(greet(tls('kafka.ssl.serverName=other.test')())).rejects.toMatchObject({
      code: 'ERR_TLS_CERT_ALTNAME_INVALID',
    })
  })

  it('keeps to the oldest version that is allowed', async () => {
    const old = createServer({
      maxVersion: 'TLSv1.2',
      cert: readFileSync(first.certFile),
      key: readFileSync(first.keyFile),
      passphrase: 'one',
    })
    await new Promise<void>((resolve) => old.listen(0, '127.0.0.1', resolve))
    const at = (old.address() as AddressInfo).port
    const options = tls('kafka.ssl.minVersion=TLSv1.3')()
    const refused = new Promise((_, reject) =>
      connect({ host: '127.0.0.1', port: at, ...options }).on('error', reject),
    )
    await expect(refused).rejects.toMatchObject({ code: expect.stringMatching(/VERSION|PROTOCOL/) })
    old.close()
  })

  it('uses files that were replaced for the next connection', async () => {
    const options = tls()
    expect(await greet(options())).toMatch(/^first /)
    await mount(second, 'two')
    expect(await greet(options())).toMatch(/^second /)
    expect(logger.lines).toEqual([
      { level: 'info', message: 'new files are in use', facts: { files: expect.anything() } },
    ])
  })

  it.each<[string, () => Promise<void>, string]>([
    [
      'do not belong together',
      () => mount({ certFile: second.certFile, keyFile: first.keyFile }, 'one'),
      'does not belong',
    ],
    ['have another passphrase', () => mount(second, 'wrong'), 'passphrase'],
    ['are gone', () => mount({}, 'two'), 'ENOENT'],
    ['are not PEM', () => writeFile(join(folder, 'data', 'tls.crt'), 'no'), 'no PEM'],
  ])('keeps the old ones and says so once where new ones %s', async (_, replace, reason) => {
    const options = tls()
    await replace()
    expect(await greet(options())).toMatch(/^first /)
    expect(await greet(options())).toMatch(/^first /)
    expect(logger.lines).toEqual([
      {
        level: 'error',
        message: 'new files are of no use; those from before stay in use',
        facts: { files: expect.anything(), reason: expect.stringContaining(reason) },
      },
    ])
    await mount(second, 'two')
    expect(await greet(options())).toMatch(/^second /)
  })

  it.each<[string, () => string, string]>([
    ['kafka.ssl.caFile', () => join(folder, 'none'), 'cannot be read: ENOENT'],
    ['kafka.ssl.keyPassphraseFile', () => authority.certFile, 'passphrase'],
  ])('refuses a useless %s at the start and names it', (key, file, reason) => {
    const path = file()
    expect(() => tls(`${key}=${path}`)).toThrow(reason)
    expect(() => tls(`${key}=${path}`)).toThrow(`${key} = ${path}`)
  })

  it('refuses authorities that are none, which OpenSSL would take for nobody', () => {
    expect(() => tls(`kafka.ssl.caFile=${first.keyFile}`)).toThrow('no certificate')
  })
})
