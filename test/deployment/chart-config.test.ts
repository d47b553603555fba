import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parse } from 'yaml'
import { loadSettings } from '../../src/config/load.ts'
import { at, manifest, render, treeAt, treesAt, type Rendered, type Tree } from './chart.ts'
import { projectRoot, runSediment } from './programs.ts'

let folder: string

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sediment-chart-'))
})

afterAll(() => rm(folder, { recursive: true, force: true }))

const podSpec = (rendered: Rendered) => treeAt(manifest(rendered, 'StatefulSet'), 'spec', 'template', 'spec')

/** What Kubernetes would put into the container's environment, with a stand-in for each secret. */
function environmentOf(container: Tree, podName: string): Record<string, string> {
  const environment: Record<string, string> = {}
  for (const variable of treesAt(container, 'env')) {
    const text = variable['valueFrom'] === undefined ? String(variable['value']) : undefined
    const isName = JSON.stringify(variable['valueFrom'] ?? null).includes('metadata.name')
    const value = text?.replace(/\$\((\w+)\)/g, (_all, name: string) => environment[name] ?? '')
    environment[String(variable['name'])] = value ?? (isName ? podName : 'a secret')
  }
  return environment
}

/** The settings that the first pod of the release would run with. */
async function settingsOf(rendered: Rendered, containers: 'containers' | 'initContainers' = 'containers') {
  const file = join(folder, 'sediment.yaml')
  await writeFile(file, String(at(manifest(rendered, 'ConfigMap'), 'data', 'sediment.yaml')))
  const container = treeAt(podSpec(rendered), containers, 0)
  return loadSettings({ file, env: environmentOf(container, 'orders-sediment-0'), set: [] }).settings
}

describe("the chart's configuration", () => {
  it('is the ready-made one for Kubernetes', async () => {
    const ready = parse(await readFile(join(projectRoot, 'config', 'kubernetes.yaml'), 'utf8')) as unknown
    const text = String(at(manifest(await render({}), 'ConfigMap'), 'data', 'sediment.yaml'))
    expect(parse(text)).toEqual(ready)
  })

  it('is read by Sediment as the pod needs it', async () => {
    const rendered = await render({})
    const settings = await settingsOf(rendered)
    expect(settings).toMatchObject({ dataPath: '/data', http: { host: '0.0.0.0', port: 8383 } })
    expect(settings.kafka.groupInstanceId).toBe('orders-sediment-0')
    expect(treesAt(podSpec(rendered), 'containers', 0, 'ports')).toMatchObject([
      { containerPort: settings.http.port },
    ])
  })

  it('is the same to the check before the start and to the run', async () => {
    const rendered = await render({
      sasl: { existingSecret: 'kafka-user' },
      tls: { existingSecret: 'kafka-tls' },
    })
    expect(await settingsOf(rendered, 'initContainers')).toEqual(await settingsOf(rendered))
  })

  it.each([
    ['plain values', {}],
    [
      'login and certificates',
      { sasl: { existingSecret: 'kafka-user' }, tls: { existingSecret: 'kafka-tls' } },
    ],
  ])("passes the init container's command, with %s", async (_what, values) => {
    const rendered = await render(values)
    await settingsOf(rendered)
    const container = treeAt(podSpec(rendered), 'initContainers', 0)
    const mount = treesAt(container, 'volumeMounts').find(({ name }) => name === 'config')?.['mountPath']
    const args = (at(container, 'args') as string[]).map((word) => word.replace(String(mount), folder))
    expect(args).toContain(join(folder, 'sediment.yaml'))
    const environment = environmentOf(container, 'orders-sediment-0')
    expect(await runSediment(args, { environment })).toMatchObject({ code: 0, stderr: '' })
    const file = join(folder, 'sediment.yaml')
    await writeFile(file, `${await readFile(file, 'utf8')}surplus: 1\n`)
    const refused = await runSediment(args, { environment })
    expect(refused.code).toBe(2)
    expect(refused.stderr).toContain('surplus')
  })

  it('is given to both containers by options that the command line has', async () => {
    const rendered = await render({})
    const containers = [
      ...treesAt(podSpec(rendered), 'initContainers'),
      ...treesAt(podSpec(rendered), 'containers'),
    ]
    for (const container of containers) {
      const args = at(container, 'args') as string[]
      const options = args.filter((word) => word.startsWith('--'))
      expect(options).toEqual(['--config'])
      const subcommand = args.slice(0, args.indexOf('--config'))
      const help = await runSediment([...subcommand, '--help'])
      expect(help.code).toBe(0)
      expect(help.stdout).toMatch(new RegExp(`^Usage: sediment ${subcommand.join(' ')} `, 'm'))
      expect(help.stdout).toContain('--config')
    }
  })

  it.each([
    ['plain values', {}, 25],
    ['a longer drain', { shutdown: { deadlineSeconds: 120 } }, 120],
    ['a deadline put into the file by hand', { config: { shutdown: { deadlineMs: '10m' } } }, 25],
  ])('leaves the pod time to drain, with %s', async (_what, values, deadlineSeconds) => {
    const rendered = await render(values)
    const { deadlineMs } = (await settingsOf(rendered)).shutdown
    expect(deadlineMs).toBe(deadlineSeconds * 1000)
    const graceSeconds = Number(at(podSpec(rendered), 'terminationGracePeriodSeconds'))
    expect(graceSeconds * 1000).toBeGreaterThanOrEqual(deadlineMs + 5000)
  })

  it('logs in with name and password of the Secret', async () => {
    const settings = await settingsOf(
      await render({ sasl: { existingSecret: 'kafka-user', mechanism: 'plain' } }),
    )
    expect(settings.kafka.sasl).toMatchObject({
      mechanism: 'plain',
      username: 'a secret',
      passwordFile: '/etc/sediment/sasl/password',
    })
  })

  it('asks a token endpoint with client id and secret of the Secret', async () => {
    const oauth = { tokenEndpoint: 'https://login.example/token' }
    const settings = await settingsOf(
      await render({
        sasl: { existingSecret: 'kafka-client', mechanism: 'oauthbearer' },
        config: { kafka: { sasl: { oauth } } },
      }),
    )
    expect(settings.kafka.sasl).toMatchObject({
      mechanism: 'oauthbearer',
      oauth: { ...oauth, clientId: 'a secret', clientSecretFile: '/etc/sediment/sasl/password' },
    })
  })

  it('trusts and shows the certificates of the Secret, at the paths where it is mounted', async () => {
    const rendered = await render({
      tls: { existingSecret: 'kafka-tls', clientCertificate: true, keyPassphraseKey: 'pw' },
    })
    const { ssl } = (await settingsOf(rendered)).kafka
    expect(ssl).toMatchObject({ enabled: true, rejectUnauthorized: true })
    const [folderOfTls] = treesAt(podSpec(rendered), 'containers', 0, 'volumeMounts').filter(
      ({ name }) => name === 'tls',
    )
    for (const file of [ssl.caFile, ssl.certFile, ssl.keyFile, ssl.keyPassphraseFile]) {
      expect(file).toMatch(new RegExp(`^${String(folderOfTls?.['mountPath'])}/`))
    }
  })

  it('fits into the memory that the container may use', async () => {
    const rendered = await render({})
    const limit = String(at(podSpec(rendered), 'containers', 0, 'resources', 'limits', 'memory'))
    expect(limit).toMatch(/^\d+Mi$/)
    const besides = Number.parseInt(limit) * 1024 * 1024 - (await settingsOf(rendered)).memory.budgetBytes
    expect(besides).toBeGreaterThanOrEqual(256 * 1024 * 1024)
  })

  it('is refused by Sediment with a key that it does not know', async () => {
    const rendered = await render({ config: { kafka: { borkers: ['x:1'] } } })
    await expect(settingsOf(rendered)).rejects.toThrow(/borkers/)
  })
})
