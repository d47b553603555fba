// Goal: tokens come from a command or an endpoint within bounds, and nothing secret is ever in an error.
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { createServer, type Server } from 'node:https'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createSecureContext } from 'node:tls'
import { runTokenCommand } from '../../../src/cli/credentials/token-command.ts'
import { askTokenEndpoint, type TokenRequest } from '../../../src/cli/credentials/token-endpoint.ts'
import { makeAuthority, makeCertificate } from '../../support/kafka/certificates.ts'
import { requireTool } from '../../support/needs.ts'

const SECRET = 'sEcReT-0123456789abcdef'
const node = (script: string): string[] => [process.execPath, '-e', script]
const LIMIT_MS = 30_000

describe('a token command', () => {
  it('runs without a shell, without our variables, and with all others', async () => {
    const script =
      'console.log(process.argv[1], process.env.SEDIMENT_KAFKA_SASL_PASSWORD, process.env.REGION)'
    const command = [...node(script), '$(id);x']
    const env = { ...process.env, SEDIMENT_KAFKA_SASL_PASSWORD: SECRET, REGION: 'north' }
    expect(await runTokenCommand(command, LIMIT_MS, env)).toBe('$(id);x undefined north\n')
  })

  it.each<[string, string[], number, string]>([
    ['is not there', ['/nonexistent/get-token'], LIMIT_MS, 'is not there'],
    [
      'fails',
      node(`console.log('${SECRET}'); console.error('no credentials ${SECRET}'); process.exit(7)`),
      LIMIT_MS,
      'ended with 7: no credentials ***',
    ],
    ['does not end', node('setInterval(() => {}, 1000)'), 300, 'has not ended within 300 ms'],
    [
      'prints without end',
      node(`console.log('${SECRET}'.repeat(9999)); setInterval(() => {}, 1000)`),
      LIMIT_MS,
      'prints more than 65536 bytes',
    ],
  ])('that %s is told of in one line without what it printed', async (_, command, timeoutMs, reason) => {
    const ran = runTokenCommand(command, timeoutMs, {})
    await expect(ran).rejects.toMatchObject({ code: 'ERR_TOKEN', message: expect.stringContaining(reason) })
    await expect(ran).rejects.not.toThrow(SECRET)
  })
})

const describeWithOpenssl = requireTool('openssl') ? describe : describe.skip

describeWithOpenssl('a token endpoint', () => {
  let folder: string
  let server: Server
  let trusted: TokenRequest
  let answer: (request: IncomingMessage, response: ServerResponse, body: string) => void

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'sediment-token-'))
    const authority = await makeAuthority(folder, 'authority')
    const own = await makeCertificate(folder, authority, { name: 'localhost' })
    const [cert, key, ca] = await Promise.all(
      [own.certFile, own.keyFile, authority.certFile].map((path) => readFile(path)),
    )
    server = createServer({ cert, key }, (request, response) => {
      let body = ''
      request.setEncoding('utf8').on('data', (text: string) => (body += text))
      request.on('end', () => answer(request, response, body))
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    trusted = {
      endpoint: `https://localhost:${(server.address() as AddressInfo).port}/token`,
      clientId: 'me: a client',
      clientSecret: SECRET,
      scope: 'kafka',
      timeoutMs: LIMIT_MS,
      secureContext: createSecureContext({ ca: ca! }),
    }
  }, 60_000)

  afterAll(async () => {
    server?.closeAllConnections()
    server?.close()
    if (folder !== undefined) await rm(folder, { recursive: true })
  })

  it('is asked with the credentials in the header, form-encoded', async () => {
    answer = ({ headers, method }, response, body) => {
      response.end(JSON.stringify([method, headers.authorization, body]))
    }
    expect(JSON.parse(await askTokenEndpoint(trusted))).toEqual([
      'POST',
      `Basic ${Buffer.from(`me%3A+a+client:${SECRET}`).toString('base64')}`,
      'grant_type=client_credentials&scope=kafka',
    ])
  })

  it.each<[string, typeof answer, Partial<TokenRequest>, string]>([
    [
      'refuses',
      (_, response) => {
        response
          .writeHead(401)
          .end(JSON.stringify({ error: 'invalid_client', error_description: `not ${SECRET}` }))
      },
      {},
      'answers 401: invalid_client, not ***',
    ],
    [
      'redirects',
      (_, response) => response.writeHead(302, { location: 'https://other.test' }).end(),
      {},
      'answers 302',
    ],
    [
      'answers without end',
      (_, response) => void response.end('x'.repeat(1 << 20)),
      {},
      'more than 65536 bytes',
    ],
    ['does not answer', () => undefined, { timeoutMs: 300 }, 'does not answer within 300 ms'],
    [
      'has a certificate of nobody known',
      (_, response) => void response.end('t'),
      { secureContext: undefined },
      'failed: ',
    ],
  ])('that %s is told of in one line without a secret', async (_, behave, change, reason) => {
    answer = behave
    const asked = askTokenEndpoint({ ...trusted, ...change })
    await expect(asked).rejects.toMatchObject({ code: 'ERR_TOKEN', message: expect.stringContaining(reason) })
    await expect(asked).rejects.not.toThrow(SECRET)
  })
})
