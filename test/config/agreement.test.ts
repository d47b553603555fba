// Goal: what the configuration accepts the mapping can do, and documents and ready-made files agree with the schema.
import { readFileSync } from 'node:fs'
import { describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import { loadSettings } from '../../src/config/load.ts'
import { renderConfigurationPage } from '../../src/config/page.ts'
import { rules } from '../../src/config/rule-format.ts'
import { schemaKeys } from '../../src/config/schema.ts'
import type { Settings } from '../../src/config/settings.ts'
import { defaultRule } from '../../src/mapping/default-rule.ts'
import { isReservedLabel } from '../../src/mapping/label-names.ts'
import { labelText } from '../../src/mapping/label-text.ts'
import { createMapper } from '../../src/mapping/mapper.ts'
import { ARRIVAL_MS, bytesOf, message } from '../mapping/messages.ts'

const root = new URL('../../', import.meta.url)
const textOf = (path: string): string => readFileSync(new URL(path, root), 'utf8')

describe('a rule that the configuration accepts', () => {
  const accepts = (rule: unknown): boolean => 'value' in rules.read([rule])
  const piece = fc.constantFrom(
    '{topic}',
    '{partition}',
    '{key}',
    '{header:a}',
    '{json:/a/b}',
    '{json:a}',
    '{HH}',
    '{x}',
    '{',
    '}',
    '/',
    'wal',
    '.',
    'a',
    '-',
  )

  it('has an entry that the mapping can fill', () => {
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 5 }), (pieces) => {
        const name = pieces.join('')
        for (const place of ['bucket', 'entry']) {
          if (!accepts({ topics: ['t'], [place]: name })) continue
          const mapper = createMapper([{ ...defaultRule, [place]: name }]).forPartition('t', 0)
          const outcome = mapper?.map(message({ value: bytesOf('{}') }), ARRIVAL_MS)
          expect(outcome).toHaveProperty('target')
        }
      }),
    )
  })

  it('has constants that are labels nothing else uses, and no other', () => {
    const name = fc.oneof(fc.constantFrom('offset', 'Key', 'kafka-x', 'ts_x', 'H_x', 'site', ''), fc.string())
    const value = fc.oneof(fc.string(), fc.constantFrom('a,b', 'a"b', 'a",', '"a', ' a', 'a '))
    fc.assert(
      fc.property(name, value, (label, content) => {
        const isCarried =
          /^[A-Za-z0-9_-]{1,128}$/.test(label) &&
          !isReservedLabel(label) &&
          labelText(new TextEncoder().encode(content)) !== undefined

        const rule = { topics: ['t'], labels: { constants: Object.fromEntries([[label, content]]) } }
        expect(accepts(rule)).toBe(isCarried)
      }),
      { numRuns: 500 },
    )
  })
})

describe('CONFIGURATION.md', () => {
  it('is what `node dev/write-configuration.mjs` writes', () => {
    expect(textOf('CONFIGURATION.md')).toBe(renderConfigurationPage())
  })

  it('names every key and variable', () => {
    const page = textOf('CONFIGURATION.md')

    for (const { key, variable } of schemaKeys()) {
      expect(page).toContain(`### \`${key}\``)
      expect(page).toContain(`\`${variable}\``)
    }
  })
})

describe('the ready-made configuration', () => {
  const load = (file: string, env = {}): Settings =>
    loadSettings({ file, env, set: [], readFile: (path) => textOf(`config/${path}`) }).settings

  it('for a local broker listens on this machine only', () => {
    expect(load('local.yaml')).toMatchObject({
      dataPath: './data',
      kafka: { brokers: ['localhost:9092'] },
      http: { host: '127.0.0.1', port: 8383 },
    })
  })

  it('for compose is reachable from other containers', () => {
    expect(load('docker-compose.yaml')).toMatchObject({ dataPath: '/data', http: { host: '0.0.0.0' } })
  })

  it('for Kubernetes takes name and password from the pod', () => {
    const settings = load('kubernetes.yaml', {
      SEDIMENT_KAFKA_GROUP_INSTANCE_ID: 'sediment-0',
      SEDIMENT_KAFKA_SASL_MECHANISM: 'scram-sha-512',
      SEDIMENT_KAFKA_SASL_USERNAME: 'sediment',
      SEDIMENT_KAFKA_SASL_PASSWORD: 'p',
      SEDIMENT_SERVICE_HOST: '10.0.0.1',
      SEDIMENT_PORT: 'tcp://10.0.0.1:8383',
    })

    expect(settings).toMatchObject({
      kafka: { groupInstanceId: 'sediment-0', sasl: { password: 'p' } },
      http: { host: '0.0.0.0', port: 8383 },
      log: { format: 'json' },
    })
  })
})
