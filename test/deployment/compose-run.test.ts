import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { Kafka, logLevel } from 'kafkajs'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createTopics } from '../../dev/kafka/protocol.mjs'
import { startBroker } from '../../dev/kafka/broker.mjs'
import { composeServices, durationMs, mountedFile, service, type Service } from './compose.ts'
import { execForm, readDockerfile } from './dockerfile.ts'
import { run, runSediment } from './programs.ts'
import { freePorts, startSediment, untilFrom, untilReady, type SedimentProcess } from './sediment-process.ts'

/** `KAFKA_LOG_DIRS` is `log.dirs` to the broker, as its image has it. */
function brokerProperties(kafka: Service, replaced: (text: string) => string): Record<string, string> {
  return Object.fromEntries(
    Object.entries(kafka.environment ?? {}).map(([name, value]) => [
      name
        .replace(/^KAFKA_/, '')
        .toLowerCase()
        .replaceAll('_', '.'),
      replaced(value),
    ]),
  )
}

describe('the services of docker-compose.yml as plain processes', () => {
  let services: Readonly<Record<string, Service>>
  let folder: string
  let broker: Awaited<ReturnType<typeof startBroker>>
  let sediment: SedimentProcess

  beforeAll(async () => {
    services = await composeServices()
    folder = await mkdtemp(join(tmpdir(), 'sediment-compose-run-'))
    const [port = 0, controllerPort = 0, hostPort = 0, httpPort = 0] = await freePorts(4)
    const ports: Readonly<Record<string, number>> = { 9092: port, 9093: controllerPort, 9094: hostPort }
    const here = (text: string) =>
      text
        .replace(/(:\/\/|@)(?:kafka|localhost)?:(909[234])/g, (_all, before: string, old: string) => {
          return `${before}127.0.0.1:${ports[old]}`
        })
        .replace('/var/lib/kafka/data', join(folder, 'kafka', 'log'))
    broker = await startBroker({
      port,
      controllerPort,
      dataPath: join(folder, 'kafka'),
      properties: brokerProperties(service(services, 'kafka'), here),
    })

    const described = service(services, 'sediment')
    const command = [...(described.command ?? [])]
    const at = command.indexOf('--config') + 1
    const text = await readFile(mountedFile(described, command[at] ?? ''), 'utf8')
    const replaced = text
      .replace('kafka:9092', broker.bootstrap)
      .replace('dataPath: /data', `dataPath: ${join(folder, 'data')}`)
      .replace('host: 0.0.0.0', `host: 127.0.0.1\n  port: ${httpPort}`)
    expect(replaced).not.toMatch(/kafka:9092|: \/data|0\.0\.0\.0/)
    command[at] = join(folder, 'sediment.yaml')
    await writeFile(command[at], replaced)
    await createTopics(broker.bootstrap, [{ name: 'demo', partitions: 2 }])
    sediment = startSediment(command, httpPort, described.environment)
    await untilReady(sediment)
  }, 180_000)

  afterAll(async () => {
    sediment?.kill()
    await broker?.stop()
    await rm(folder, { recursive: true, force: true })
  }, 60_000)

  it('has Sediment store what is produced, stop within its grace period, and leave a sound directory', async () => {
    const kafka = new Kafka({ brokers: [broker.bootstrap], logLevel: logLevel.NOTHING })
    const producer = kafka.producer()
    await producer.connect()
    const messages = Array.from({ length: 50 }, (_, index) => ({
      key: `k${index % 5}`,
      value: `value ${index}`,
    }))
    await producer.send({ topic: 'demo', messages })
    await producer.disconnect()
    await untilFrom(
      sediment,
      async () => (await (await fetch(`${sediment.address}/metrics`)).text()).split('\n'),
      (lines) => lines.includes('sediment_durable_records_total{topic="demo"} 50'),
      30_000,
    )

    const [command = '', ...args] = execForm((await readDockerfile()).at(-1)!, 'HEALTHCHECK')
    const environment = { SEDIMENT_HTTP_PORT: new URL(sediment.address).port }
    expect((await run(command, args, { environment })).code).toBe(0)

    const startedMs = performance.now()
    expect(await sediment.stop()).toBe(0)
    const graceMs = durationMs(service(services, 'sediment').stop_grace_period)
    expect(performance.now() - startedMs).toBeLessThan(graceMs)
    const data = join(folder, 'data')
    expect(await runSediment(['verify', '--data', data])).toMatchObject({ code: 0 })
    // What the compose file's own comment and the chart's notes tell people to run.
    const listed = await runSediment(['ls', '--data', data])
    expect(listed.stdout).toContain('kafka/demo/0')
    expect(listed.stdout).toContain('kafka/demo/1')
  }, 120_000)
})
