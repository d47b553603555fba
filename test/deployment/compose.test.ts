import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parse } from 'yaml'
import { loadSettings } from '../../src/config/load.ts'
import { composeConfig, composeServices, durationMs, mountedFile, service, type Service } from './compose.ts'
import { projectRoot, run } from './programs.ts'

let services: Readonly<Record<string, Service>>
let home: string

beforeAll(async () => {
  services = await composeServices()
  home = await mkdtemp(join(tmpdir(), 'sediment-compose-'))
})

afterAll(() => rm(home, { recursive: true, force: true }))

function sedimentSettings() {
  const sediment = service(services, 'sediment')
  const command = sediment.command ?? []
  const file = mountedFile(sediment, command[command.indexOf('--config') + 1] ?? '')
  return loadSettings({ file, env: sediment.environment ?? {}, set: [] }).settings
}

describe('docker-compose.yml', () => {
  it('is accepted by Compose', async () => {
    expect(await composeConfig(join(projectRoot, 'docker-compose.yml'), home)).toMatchObject({
      code: 0,
      stderr: '',
    })
  })

  it.each([
    ['an unknown key', 'stop_grace_period: 60s', 'stop_grace_time: 60s'],
    ['a service that depends on nothing there', 'condition: service_healthy', 'condition: service_well'],
    ['a volume that is not declared', '\n  sediment-data:\n', '\n'],
  ])('would not be with %s', async (_what, right, wrong) => {
    const text = await readFile(join(projectRoot, 'docker-compose.yml'), 'utf8')
    expect(text).toContain(right)
    const broken = join(home, 'docker-compose.yml')
    await writeFile(broken, text.replace(right, wrong))
    const ended = await composeConfig(broken, home)
    expect(ended.code).not.toBe(0)
    expect(ended.stderr).not.toBe('')
  })

  it('runs Apache Kafka, Sediment and Prometheus, each after what it needs is healthy', () => {
    expect(Object.keys(services).sort()).toEqual(['kafka', 'prometheus', 'sediment'])
    expect(service(services, 'sediment').depends_on).toEqual({ kafka: { condition: 'service_healthy' } })
    expect(service(services, 'prometheus').depends_on).toEqual({ sediment: { condition: 'service_healthy' } })
  })

  it('publishes ports on the loopback address only', () => {
    const ports = Object.values(services).flatMap((one) => one.ports ?? [])
    expect(ports).toHaveLength(3)
    for (const port of ports) expect(port).toMatch(/^127\.0\.0\.1:\d+:\d+$/)
  })

  it('gives Sediment the broker that Kafka advertises to other containers', () => {
    const advertised = service(services, 'kafka').environment?.['KAFKA_ADVERTISED_LISTENERS'] ?? ''
    expect(advertised.split(',')).toContain(`INTERNAL://${sedimentSettings().kafka.brokers.join(',')}`)
  })

  it('keeps the data directory in a named volume', () => {
    const data = service(services, 'sediment').volumes?.find((volume) => volume.startsWith('sediment-data:'))
    expect(data).toBe(`sediment-data:${sedimentSettings().dataPath}`)
  })

  it('listens where the published port and Prometheus expect it', async () => {
    const { host, port } = sedimentSettings().http
    expect(host).toBe('0.0.0.0')
    expect(service(services, 'sediment').ports).toEqual([`127.0.0.1:${port}:${port}`])
    const prometheus = mountedFile(service(services, 'prometheus'), '/etc/prometheus/prometheus.yml')
    expect(parse(await readFile(prometheus, 'utf8'))).toMatchObject({
      scrape_configs: [{ job_name: 'sediment', static_configs: [{ targets: [`sediment:${port}`] }] }],
    })
    expect((await run('promtool', ['check', 'config', prometheus])).code).toBe(0)
  })

  it('has Prometheus evaluate the alerts that the chart ships', async () => {
    const prometheus = service(services, 'prometheus')
    const settings = await readFile(mountedFile(prometheus, '/etc/prometheus/prometheus.yml'), 'utf8')
    expect(parse(settings)).toMatchObject({ rule_files: ['/etc/prometheus/rules/*.yaml'] })
    const rules = mountedFile(prometheus, '/etc/prometheus/rules')
    expect(await readFile(join(rules, 'alerts.yaml'), 'utf8')).toContain('alert: SedimentDown')
  })

  it('waits longer for the stop than the drain may take', () => {
    const graceMs = durationMs(service(services, 'sediment').stop_grace_period)
    expect(graceMs).toBeGreaterThanOrEqual(sedimentSettings().shutdown.deadlineMs + 5000)
  })
})
