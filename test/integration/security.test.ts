// Goal: every way to be let in by a real broker works, and every refusal is one line that says what to do.
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals'
import { existsSync, readFileSync, statSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import kafkajs, { type Producer } from 'kafkajs'
import { silentLogger } from '../../src/base/logger.ts'
import { createSource } from '../../src/cli/kafka-source.ts'
import { loadSettings } from '../../src/config/load.ts'
import type { KafkajsSource } from '../../src/kafka/kafkajs/kafkajs-source.ts'
import { createTopics } from '../../dev/kafka/protocol.mjs'
import { runSediment } from '../deployment/programs.ts'
import { freePorts, startSediment, untilReady } from '../deployment/sediment-process.ts'
import { makeCertificate } from '../support/kafka/certificates.ts'
import { startSecuredBroker, type SecuredBroker } from '../support/kafka/secured-broker.ts'
import { requireTool } from '../support/needs.ts'
import { realClock } from '../support/real-clock.ts'
import { RecordingHandler } from '../support/recording-handler.ts'

/** The failing ones run the built program: `npm run build` first. */
const hasTools = requireTool('java') && requireTool('openssl')
const describeWithKafka = hasTools ? describe : describe.skip
const TOPIC = 'readings'
const MESSAGES = 10

describeWithKafka('a broker that lets in only who may', () => {
  let broker: SecuredBroker
  let producer: Producer
  let folder: string
  let count = 0
  const sources: KafkajsSource[] = []

  beforeAll(async () => {
    broker = await startSecuredBroker()
    folder = await mkdtemp(join(tmpdir(), 'sediment-security-'))
    await createTopics(broker.bootstrap, [{ name: TOPIC, partitions: 1 }])
    const kafka = new kafkajs.Kafka({ brokers: [broker.bootstrap], logLevel: kafkajs.logLevel.NOTHING })
    producer = kafka.producer({ createPartitioner: kafkajs.Partitioners.DefaultPartitioner })
    await producer.connect()
    await feed()
  }, 240_000)

  afterEach(async () => {
    await Promise.all(sources.splice(0).map((source) => source.stop()))
  })

  afterAll(async () => {
    await producer?.disconnect()
    await broker?.stop()
    if (folder !== undefined) await rm(folder, { recursive: true })
  }, 60_000)

  async function feed(): Promise<void> {
    const messages = Array.from({ length: MESSAGES }, (_, index) => ({ value: `${index}` }))
    await producer.send({ topic: TOPIC, messages })
  }

  const base = (address: string): string[] => [
    ...[`kafka.brokers=${address}`, `kafka.topics=${TOPIC}`, `kafka.groupId=group-${++count}`],
    'kafka.fetchWaitMs=100ms',
  ]
  const tls = (): string[] => ['kafka.ssl.enabled=true', `kafka.ssl.caFile=${broker.authority.certFile}`]
  const certificate = ({ certFile, keyFile }: SecuredBroker['client']): string[] => [
    `kafka.ssl.certFile=${certFile}`,
    `kafka.ssl.keyFile=${keyFile}`,
  ]

  const withName = (username: string): string[] => [
    ...base(broker.login),
    ...tls(),
    `kafka.sasl.username=${username}`,
  ]
  const byPassword = async (mechanism: string, username: string, password: string): Promise<string[]> => [
    ...withName(username),
    `kafka.sasl.mechanism=${mechanism}`,
    `kafka.sasl.passwordFile=${await secretFile(password)}`,
  ]
  const byCommand = (...command: string[]): string[] => [
    ...[...base(broker.login), ...tls(), 'kafka.sasl.mechanism=oauthbearer'],
    `kafka.sasl.oauth.tokenCommand=${command.join(',')}`,
  ]

  async function secretFile(text: string): Promise<string> {
    const path = join(folder, `secret-${++count}`)
    await writeFile(path, `${text}\n`, { mode: 0o600 })
    return path
  }

  function sourceOf(set: readonly string[], env: Record<string, string> = {}): KafkajsSource {
    const source = createSource(loadSettings({ env, set }).settings, process.env, realClock, silentLogger)
    sources.push(source)
    return source
  }

  async function expectDelivery(set: readonly string[], env: Record<string, string> = {}): Promise<void> {
    const handler = new RecordingHandler()
    await sourceOf(set, env).start(handler)
    await handler.until('all messages', () => handler.offsets(TOPIC).length >= MESSAGES)
  }

  describe('delivers', () => {
    it('to a client certificate whose key is encrypted', async () => {
      const passphraseFile = await secretFile(broker.passphrase)
      await expectDelivery([
        ...base(broker.mutual),
        ...tls(),
        ...certificate(broker.client),
        `kafka.ssl.keyPassphraseFile=${passphraseFile}`,
        'kafka.ssl.minVersion=TLSv1.3',
      ])
    })

    it('under a name of the certificate that is not the name of the host', async () => {
      await expectDelivery([...base(broker.named), ...tls(), 'kafka.ssl.serverName=kafka.test'])
    })
  })

  describe('delivers to who logs in', () => {
    it.each<[string, 'alice' | 'bob' | 'carol']>([
      ['plain', 'alice'],
      ['scram-sha-256', 'bob'],
      ['scram-sha-512', 'carol'],
    ])('by %s with a password from a file', async (mechanism, user) => {
      await expectDelivery(await byPassword(mechanism, user, broker.passwords[user]))
    })

    it('with a password from the environment', async () => {
      const env = { SEDIMENT_KAFKA_SASL_PASSWORD: broker.passwords.alice }
      await expectDelivery([...withName('alice'), 'kafka.sasl.mechanism=plain'], env)
    })

    it('by a token of a command, again and again, on connections that stay', async () => {
      const issued = join(folder, 'issued')
      const program = await tokenProgram(6)
      const handler = new RecordingHandler()
      const source = sourceOf([
        ...byCommand(process.execPath, program, issued),
        'kafka.sasl.oauth.timeoutMs=1m',
      ])
      await source.start(handler)
      await handler.until('all messages', () => handler.offsets(TOPIC).length >= MESSAGES)
      const tokens = (): number => (existsSync(issued) ? statSync(issued).size : 0)
      await handler.until('three tokens', () => tokens() >= 3)
      const before = handler.offsets(TOPIC).length
      await feed()
      await handler.until('what came after', () => handler.offsets(TOPIC).length >= before + MESSAGES)
      expect(handler.failures).toEqual([])
      expect(handler.assignments).toHaveLength(1)
    })

    it('by a token of an endpoint', async () => {
      const seen: (string | undefined)[] = []
      const own = await makeCertificate(folder, broker.authority, { name: 'localhost' })
      const [cert, key] = [readFileSync(own.certFile), readFileSync(own.keyFile)]
      const server = createServer({ cert, key }, ({ headers }, response) => {
        seen.push(headers.authorization)
        response.end(JSON.stringify({ access_token: unsignedToken(60), expires_in: 60 }))
      })
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
      const { port } = server.address() as AddressInfo
      try {
        await expectDelivery([
          ...[...base(broker.login), ...tls(), 'kafka.sasl.mechanism=oauthbearer'],
          `kafka.sasl.oauth.tokenEndpoint=https://localhost:${port}/token`,
          ...['kafka.sasl.oauth.clientId=me', `kafka.sasl.oauth.caFile=${broker.authority.certFile}`],
          `kafka.sasl.oauth.clientSecretFile=${await secretFile('shared')}`,
        ])
        expect(seen).toEqual([`Basic ${Buffer.from('me:shared').toString('base64')}`])
      } finally {
        server.closeAllConnections()
        server.close()
      }
    })
  })

  describe('shows no secret, also at log level debug, in what `sediment run` and `config show` tell', () => {
    it.each<[string, () => Promise<{ set: string[]; env?: Record<string, string>; secrets: string[] }>]>([
      [
        'with a password from the environment',
        async () => ({
          set: [...withName('alice'), 'kafka.sasl.mechanism=plain'],
          env: { SEDIMENT_KAFKA_SASL_PASSWORD: broker.passwords.alice },
          secrets: [broker.passwords.alice],
        }),
      ],
      [
        'with a password from a file',
        async () => ({
          set: await byPassword('scram-sha-512', 'carol', broker.passwords.carol),
          secrets: [broker.passwords.carol],
        }),
      ],
      [
        'with a token of a command',
        async () => {
          const token = unsignedToken(600)
          return { set: byCommand('cat', await secretFile(token)), secrets: [token, token.split('.')[1]!] }
        },
      ],
      [
        'with a key under a passphrase',
        async () => ({
          set: [
            ...[...base(broker.mutual), ...tls(), ...certificate(broker.client)],
            `kafka.ssl.keyPassphraseFile=${await secretFile(broker.passphrase)}`,
          ],
          secrets: [broker.passphrase, readFileSync(broker.client.keyFile, 'utf8').split('\n')[1]!],
        }),
      ],
    ])('%s', async (_, given) => {
      const { set, env = {}, secrets } = await given()
      const [port] = await freePorts(1)
      const all = [
        ...set,
        `dataPath=${join(folder, `data-${++count}`)}`,
        `http.port=${port!}`,
        'log.level=debug',
      ]
      const flags = all.flatMap((one) => ['--set', one])
      // kafkajs has a variable of its own that makes it talk.
      const environment = { ...env, KAFKAJS_LOG_LEVEL: 'DEBUG', KAFKAJS_DEBUG_PROTOCOL_BUFFERS: '1' }
      const sediment = startSediment(['run', ...flags], port!, environment)
      await untilReady(sediment)
      const pages = await Promise.all(
        ['/', '/metrics', '/readyz', '/livez'].map(async (path) =>
          (await fetch(`${sediment.address}${path}`)).text(),
        ),
      )
      expect(await sediment.stop()).toBe(0)
      const shown = await runSediment(['config', 'show', ...flags], { environment: env })
      expect(shown.code).toBe(0)
      const told = [sediment.log(), ...pages, shown.stdout, shown.stderr].join('\n')
      expect(told).toContain('"level":"debug"')
      for (const secret of secrets.flatMap((one) => [
        one,
        Buffer.from(one).toString('base64').replace(/=+$/, ''),
      ])) {
        expect(told.includes(secret) ? secret : 'not shown').toBe('not shown')
      }
    })
  })

  /** As brokers take it that ask nobody for a signature. */
  function unsignedToken(seconds: number): string {
    const nowS = Math.floor(Date.now() / 1000)
    const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url')
    return `${part({ alg: 'none' })}.${part({ sub: 'sediment', iat: nowS, exp: nowS + seconds })}.`
  }

  /** Prints such a token, and adds a byte to the file that it is given. */
  async function tokenProgram(seconds: number): Promise<string> {
    const path = join(folder, `token-${++count}.cjs`)
    await writeFile(
      path,
      `const part = (value) => Buffer.from(JSON.stringify(value)).toString('base64url')
       const iat = Math.floor(Date.now() / 1000)
       require('node:fs').appendFileSync(process.argv[2], '.')
       console.log(part({ alg: 'none' }) + '.' + part({ sub: 'sediment', iat, exp: iat + ${seconds} }) + '.')`,
    )
    return path
  }

  describe('ends `sediment run` with exit code 3 and one line', () => {
    /** Everything it printed that is not at a level below warnings, and how it ended. */
    async function refused(set: readonly string[], limit = 'kafka.startTimeoutMs=10m') {
      const dataPath = join(folder, `data-${++count}`)
      const all = [...set, `dataPath=${dataPath}`, 'http.port=0', limit]
      const sediment = startSediment(['run', ...all.flatMap((one) => ['--set', one])], 0)
      const code = await sediment.ended
      const lines = sediment.log().split('\n')
      const told = lines.filter((line) => line !== '' && !/^\{"level":"(info|debug)"/.test(line))
      return { code, told }
    }

    it.each<[string, () => string[], string]>([
      [
        'an authority that it does not know',
        () => [...base(broker.login), 'kafka.ssl.enabled=true'],
        'put the authority',
      ],
      [
        'another authority',
        () => [
          ...base(broker.login),
          'kafka.ssl.enabled=true',
          `kafka.ssl.caFile=${broker.stranger.certFile}`,
        ],
        'put the authority',
      ],
      ['an expired certificate', () => [...base(broker.expired), ...tls()], 'has expired; renew it'],
      [
        'a certificate for another host',
        () => [...base(broker.named), ...tls()],
        'for another host (DNS:kafka.test); write brokers by a name that it has',
      ],
      ['TLS where it was not told of', () => base(broker.login), 'speaks TLS; set kafka.ssl.enabled'],
      ['no client certificate', () => [...base(broker.mutual), ...tls()], 'check kafka.ssl.certFile'],
      [
        'a client certificate that has expired',
        () => [...base(broker.mutual), ...tls(), ...certificate(broker.oldClient)],
        'refuses our client certificate',
      ],
      [
        'a client certificate of an authority that the broker does not know',
        () => [...base(broker.mutual), ...tls(), ...certificate(broker.stranger)],
        'refuses our client certificate',
      ],
    ])('on %s, at once', async (_, set, advice) => {
      const { code, told } = await refused(set())
      expect(told).toEqual([expect.stringMatching(/^sediment: /)])
      expect(told[0]).toContain(advice)
      expect(code).toBe(3)
    })

    it.each<[string, () => Promise<string[]>, string]>([
      ['a wrong password (PLAIN)', () => byPassword('plain', 'alice', 'Wr0ng-Pass1'), 'refuses our login'],
      [
        'a wrong password (SCRAM)',
        () => byPassword('scram-sha-512', 'carol', 'Wr0ng-Pass1'),
        'refuses our login',
      ],
      ['a token that is none', async () => byCommand('echo', 'no-web-token'), 'refuses our login'],
    ])('on %s', async (_, set, advice) => {
      const { code, told } = await refused(await set())
      expect(told).toEqual([expect.stringMatching(/^sediment: /)])
      expect(told[0]).toContain(advice)
      expect(told[0]).not.toContain('Wr0ng-Pass1')
      expect(code).toBe(3)
    })

    it('without a login', async () => {
      const { code, told } = await refused([...base(broker.login), ...tls()], 'kafka.startTimeoutMs=3s')
      expect(told.at(-1)).toContain('set kafka.sasl.mechanism')
      expect(code).toBe(3)
    })

    it('on a token command that fails, when the start has taken too long', async () => {
      const { code, told } = await refused(byCommand('false'), 'kafka.startTimeoutMs=3s')
      expect(told.at(-1)).toContain(
        'no token for the login: kafka.sasl.oauth.tokenCommand (false) ended with 1',
      )
      expect(code).toBe(3)
    })

    it('on a port without TLS, when the start has taken too long', async () => {
      const { code, told } = await refused([...base(broker.bootstrap), ...tls()], 'kafka.startTimeoutMs=2s')
      expect(told).toEqual([expect.stringContaining('breaks off the TLS handshake')])
      expect(code).toBe(3)
    })
  })
})
