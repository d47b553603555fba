// Goal: every key arrives from every source, and whatever is wrong is named, all of it at once.
import { describe, expect, it } from '@jest/globals'
import { stringify } from 'yaml'
import { ConfigError, type ConfigProblem } from '../../src/config/config-error.ts'
import { describeSettings } from '../../src/config/describe.ts'
import { loadSettings, type ConfigSources, type LoadedSettings } from '../../src/config/load.ts'
import { defaultRule } from '../../src/mapping/default-rule.ts'
import { createMapper } from '../../src/mapping/mapper.ts'
import { schemaKeys } from '../../src/config/schema.ts'

type Given = Partial<ConfigSources> & { yaml?: string }

const minimal = 'kafka: { topics: [orders] }'

function load({ yaml = minimal, ...given }: Given = {}): LoadedSettings {
  return loadSettings({ file: 'sediment.yaml', env: {}, set: [], readFile: () => yaml, ...given })
}

function problemsOf(given: Given): readonly ConfigProblem[] {
  try {
    load(given)
  } catch (error) {
    if (error instanceof ConfigError) return error.problems
    throw error
  }
  throw new Error('accepted')
}

const at = (settings: unknown, key: string): unknown =>
  key.split('.').reduce((node, name) => (node as Record<string, unknown>)[name], settings)

const rule = { topics: ['/^cam-/'], bucket: 'images', labels: { constants: { site: 'berlin' } } }

/** For each key a value in the file, the same as text, and what the settings hold then. None is a default. */
const samples: Record<string, [file: unknown, asText: string, expected: unknown]> = {
  dataPath: ['/data', '/data', '/data'],
  'kafka.brokers': [['a:1', '[::1]:2'], 'a:1,[::1]:2', ['a:1', '[::1]:2']],
  'kafka.topics': [['a', '/b{1,2}/'], 'a, /b{1,2}/', ['a', '/b{1,2}/']],
  'kafka.groupId': ['g', 'g', 'g'],
  'kafka.groupInstanceId': ['pod-0', 'pod-0', 'pod-0'],
  'kafka.clientId': ['c', 'c', 'c'],
  'kafka.ssl.enabled': [true, 'true', true],
  'kafka.ssl.caFile': ['ca.pem', 'ca.pem', 'ca.pem'],
  'kafka.ssl.certFile': ['cert.pem', 'cert.pem', 'cert.pem'],
  'kafka.ssl.keyFile': ['key.pem', 'key.pem', 'key.pem'],
  'kafka.ssl.keyPassphraseFile': ['pass', 'pass', 'pass'],
  'kafka.ssl.serverName': ['kafka.test', 'kafka.test', 'kafka.test'],
  'kafka.ssl.minVersion': ['TLSv1.3', 'TLSv1.3', 'TLSv1.3'],
  'kafka.ssl.rejectUnauthorized': [false, 'false', false],
  'kafka.sasl.mechanism': ['scram-sha-512', 'scram-sha-512', 'scram-sha-512'],
  'kafka.sasl.username': ['me', 'me', 'me'],
  'kafka.sasl.password': ['a=b', 'a=b', 'a=b'],
  'kafka.sasl.passwordFile': ['pw', 'pw', 'pw'],
  'kafka.sasl.oauth.tokenCommand': [['get-token', '-v'], 'get-token, -v', ['get-token', '-v']],
  'kafka.sasl.oauth.tokenEndpoint': ['https://a.test/t', 'https://a.test/t', 'https://a.test/t'],
  'kafka.sasl.oauth.clientId': ['c', 'c', 'c'],
  'kafka.sasl.oauth.clientSecret': ['s', 's', 's'],
  'kafka.sasl.oauth.clientSecretFile': ['s', 's', 's'],
  'kafka.sasl.oauth.scope': ['kafka', 'kafka', 'kafka'],
  'kafka.sasl.oauth.caFile': ['ca.pem', 'ca.pem', 'ca.pem'],
  'kafka.sasl.oauth.timeoutMs': ['5s', '5000', 5000],
  'kafka.sasl.oauth.extensions': [['a=b', 'c=d e'], 'a=b,c=d e', ['a=b', 'c=d e']],
  'kafka.start': ['2026-01-31T08:00:00+01:00', '2026-01-31T07:00Z', { timestampMs: 1769842800000 }],
  'kafka.onDeleted': ['hold', 'hold', 'hold'],
  'kafka.deadLetterTopic': ['dead', 'dead', 'dead'],
  'kafka.startTimeoutMs': ['1m', '60000', 60_000],
  'kafka.sessionTimeoutMs': ['10s', '10s', 10_000],
  'kafka.fetchBytesMax': ['32MiB', '33554432', 33_554_432],
  'kafka.fetchPartitionBytesMax': [2_000_000, '2MB', 2_000_000],
  'kafka.fetchWaitMs': [250, '0.25s', 250],
  'kafka.commitIntervalMs': ['2 s', '2000ms', 2000],
  'mapping.rules': [
    [rule],
    JSON.stringify([rule]),
    [{ ...defaultRule, ...rule, labels: { ...defaultRule.labels, ...rule.labels } }, defaultRule],
  ],
  'storage.bucket.blockBytesMax': ['128MB', '128MB', 128_000_000],
  'storage.bucket.blockRecordsMax': [1024, '1024', 1024],
  'storage.spaceReserveBytes': ['1Gi', '1GiB', 1_073_741_824],
  'storage.groupBytesMax': ['4MiB', '4096KiB', 4_194_304],
  'storage.groupRecordsMax': [1000, '1000', 1000],
  'storage.directBytesMin': ['2MiB', '2MiB', 2_097_152],
  'storage.directBlocksMax': [4, '4', 4],
  'storage.logBytesCheckpoint': ['64MiB', '64MiB', 67_108_864],
  'storage.logBytesMax': ['512MiB', '512MiB', 536_870_912],
  'storage.idleCheckpointMs': ['10s', '10s', 10_000],
  'storage.sealIdleMs': ['5s', '5s', 5000],
  'storage.walBytesMax': ['8MiB', '8MiB', 8_388_608],
  'storage.writeCacheBytesMax': ['32MiB', '32MiB', 33_554_432],
  'storage.readCacheBytesMax': ['16MiB', '16MiB', 16_777_216],
  'storage.upkeepBytesPerSecond': ['1MiB', '1MiB', 1_048_576],
  'memory.budgetBytes': ['96MiB', '96MiB', 100_663_296],
  'http.host': ['0.0.0.0', '0.0.0.0', '0.0.0.0'],
  'http.port': [0, '0', 0],
  'log.level': ['debug', 'debug', 'debug'],
  'log.format': ['text', 'text', 'text'],
  'shutdown.deadlineMs': ['10s', '10s', 10_000],
}

const secretFile = 'kafka.sasl.oauth.clientSecretFile=s'
const byEndpoint = [
  'kafka.sasl.oauth.tokenEndpoint=https://o.test/t',
  ...['kafka.sasl.mechanism=oauthbearer', 'kafka.sasl.oauth.clientId=c'],
]

/** What must be set too for a key to be allowed. */
const companions: Record<string, string[]> = {
  'kafka.ssl.caFile': ['kafka.ssl.enabled=true'],
  'kafka.ssl.certFile': ['kafka.ssl.enabled=true', 'kafka.ssl.keyFile=k'],
  'kafka.ssl.keyFile': ['kafka.ssl.enabled=true', 'kafka.ssl.certFile=c'],
  'kafka.ssl.keyPassphraseFile': ['kafka.ssl.enabled=true', 'kafka.ssl.certFile=c', 'kafka.ssl.keyFile=k'],
  'kafka.ssl.serverName': ['kafka.ssl.enabled=true'],
  'kafka.sasl.mechanism': ['kafka.sasl.username=u', 'kafka.sasl.passwordFile=p'],
  'kafka.sasl.username': ['kafka.sasl.mechanism=plain', 'kafka.sasl.passwordFile=p'],
  'kafka.sasl.password': ['kafka.sasl.mechanism=plain', 'kafka.sasl.username=u'],
  'kafka.sasl.passwordFile': ['kafka.sasl.mechanism=plain', 'kafka.sasl.username=u'],
  'kafka.sasl.oauth.tokenCommand': ['kafka.sasl.mechanism=oauthbearer'],
  'kafka.sasl.oauth.tokenEndpoint': [...byEndpoint.slice(1), secretFile],
  'kafka.sasl.oauth.clientId': [...byEndpoint.slice(0, 2), secretFile],
  'kafka.sasl.oauth.clientSecret': byEndpoint,
  'kafka.sasl.oauth.clientSecretFile': byEndpoint,
  'kafka.sasl.oauth.scope': [...byEndpoint, secretFile],
  'kafka.sasl.oauth.caFile': [...byEndpoint, secretFile],
}

function nested(key: string, value: unknown): Record<string, unknown> {
  return key.split('.').reduceRight<unknown>((child, name) => ({ [name]: child }), value) as Record<
    string,
    unknown
  >
}

function withTopics(key: string, value: unknown): string {
  const tree = nested(key, value)
  return stringify({ ...tree, kafka: { topics: ['orders'], ...(tree['kafka'] as object | undefined) } })
}

describe('every key', () => {
  it('has a sample here that is not its default', () => {
    expect(Object.keys(samples)).toEqual(schemaKeys().map(({ key }) => key))
    const { settings } = load()
    for (const [key, [, , expected]] of Object.entries(samples))
      expect(at(settings, key)).not.toEqual(expected)
  })

  describe.each([...schemaKeys()])('$key', ({ key, variable, isSecret }) => {
    const [file, asText, expected] = samples[key] as [unknown, string, unknown]
    const set = companions[key] ?? []

    it('arrives from the file', () => {
      const { settings, sources } = load({ yaml: withTopics(key, file), set })

      expect(at(settings, key)).toEqual(expected)
      expect(sources.get(key)).toBe('file sediment.yaml')
    })

    it('arrives from its variable, which outdoes the file', () => {
      const { settings, sources } = load({ env: { [variable]: asText }, set })

      expect(at(settings, key)).toEqual(expected)
      expect(sources.get(key)).toBe(`variable ${variable}`)
    })

    if (isSecret) return
    it('arrives from its flag, which outdoes the variable', () => {
      const other = key === 'kafka.topics' ? { SEDIMENT_KAFKA_TOPICS: 'other' } : {}
      const { settings, sources } = load({ env: other, set: [...set, `${key}=${asText}`] })

      expect(at(settings, key)).toEqual(expected)
      expect(sources.get(key)).toBe(`flag --set ${key}`)
    })
  })
})

describe('settings', () => {
  it('need nothing but topics', () => {
    const { settings } = loadSettings({ env: { SEDIMENT_KAFKA_TOPICS: 'orders' }, set: [] })

    expect(settings.kafka.topics).toEqual(['orders'])
    expect(settings.mapping.rules).toEqual([defaultRule])
    expect(settings.kafka.sasl.mechanism).toBeUndefined()
  })

  it('are frozen through and through', () => {
    const { settings } = load({ yaml: withTopics('mapping.rules', [rule]) })
    const isFrozen = (value: unknown): boolean =>
      typeof value !== 'object' ||
      value === null ||
      (Object.isFrozen(value) && Object.values(value).every(isFrozen))

    expect(isFrozen(settings)).toBe(true)
  })

  it.each(['kafka.groupInstanceId', 'kafka.sasl.mechanism', 'kafka.ssl.caFile'])(
    'have no %s when its text is empty',
    (key) => {
      expect(at(load({ set: [`${key}=`] }).settings, key)).toBeUndefined()
    },
  )
})

describe('a name that is no key', () => {
  it.each<[Given, string, string]>([
    [
      { yaml: 'kafka: { topics: [a], groupID: x }' },
      'kafka.groupID',
      'there is no such key; did you mean kafka.groupId?',
    ],
    [{ yaml: `${minimal}\ngroupId: x` }, 'groupId', 'there is no such key; did you mean kafka.groupId?'],
    [{ yaml: `${minimal}\nxyzzy: 1` }, 'xyzzy', 'there is no such key'],
    [{ yaml: `${minimal}\n__proto__: { a: 1 }` }, '__proto__', 'there is no such key'],
    [
      { env: { SEDIMENT_KAFKA_GROUPID: 'x' } },
      'SEDIMENT_KAFKA_GROUPID',
      'there is no such variable; did you mean SEDIMENT_KAFKA_GROUP_ID?',
    ],
    [{ set: ['log.levle=debug'] }, 'log.levle', 'there is no such key; did you mean log.level?'],
    [{ set: ['log=debug'] }, 'log', 'there is no such key'],
    [
      { yaml: `${minimal}\nmapping: { rules: [{ topics: [a], bukcet: b }] }` },
      'mapping.rules[0].bukcet',
      'there is no such key; did you mean bucket?',
    ],
    [{ set: ['foo'] }, 'foo', 'must be written key=value: the = is missing'],
    [{ set: ['log.level'] }, 'log.level', 'must be written key=value: the = is missing'],
    [{ set: ['=x'] }, '', 'must be written key=value: the key is missing'],
  ])('is refused: %j', (given, key, allowed) => {
    const found = problemsOf(given).map((problem) => [problem.key, problem.value, problem.allowed])
    expect(found).toEqual([[key, undefined, expect.stringContaining(allowed)]])
    expect(found[0]?.[2]).not.toContain('must be there')
  })

  it('is accepted where Kubernetes has made the variable', () => {
    const env = {
      SEDIMENT_SERVICE_HOST: '10.0.0.1',
      SEDIMENT_SERVICE_PORT_HTTP: '8383',
      SEDIMENT_PORT: 'tcp://10.0.0.1:8383',
      SEDIMENT_PORT_8383_TCP: 'tcp://10.0.0.1:8383',
      PATH: '/bin',
    }

    expect(() => load({ env })).not.toThrow()
  })
})

describe('a value that is not allowed', () => {
  it.each<[string, unknown]>([
    ['dataPath', ''],
    ['dataPath', 5],
    ['kafka.brokers', []],
    ['kafka.brokers', ['localhost']],
    ['kafka.brokers', ['a:70000']],
    ['kafka.topics', ['a b']],
    ['kafka.topics', ['/(/']],
    ['kafka.topics', { a: 1 }],
    ['kafka.ssl.enabled', 'yes'],
    ['kafka.sasl.mechanism', 'gssapi'],
    ['kafka.sasl.oauth.tokenEndpoint', 'http://o.test/t'],
    ['kafka.sasl.oauth.tokenEndpoint', 'https://me:secret@o.test/t'],
    ['kafka.sasl.oauth.extensions', 'auth=x'],
    ['kafka.start', 'yesterday'],
    ['kafka.start', '2026-01-31T08:00:00'],
    ['kafka.start', '2026-02-30T08:00:00Z'],
    ['kafka.fetchWaitMs', 'soon'],
    ['kafka.fetchWaitMs', '30 fortnights'],
    ['kafka.fetchWaitMs', 0.5],
    ['kafka.fetchWaitMs', '5constructor'],
    ['kafka.fetchBytesMax', '-1'],
    ['kafka.fetchBytesMax', '9e9'],
    ['http.port', 65536],
    ['http.port', null],
    ['http.port', ''],
    ['log.level', 'trace'],
    ['mapping.rules', 'x'],
    ['mapping.rules', '[{'],
  ])('is refused: %s = %j', (key, value) => {
    const problems = problemsOf({ yaml: withTopics(key, value) })

    expect(problems[0]?.key.replace(/\[\d\]$/, '')).toBe(key)
    expect(problems[0]?.source).toBe('file sediment.yaml')
    expect(problems[0]?.allowed).toMatch(/^must be /)
  })

  it('is told on one line with key, value, source and what is allowed', () => {
    expect(() => load({ env: { SEDIMENT_HTTP_PORT: 'http' } })).toThrow(
      new ConfigError([
        {
          key: 'http.port',
          value: '"http"',
          source: 'variable SEDIMENT_HTTP_PORT',
          allowed: 'must be a whole number from 0 to 65535',
        },
      ]),
    )
    expect(() => load({ env: { SEDIMENT_HTTP_PORT: 'http' } })).toThrow(
      /^http\.port = "http" \(variable SEDIMENT_HTTP_PORT\): must be a whole number from 0 to 65535$/,
    )
  })

  it('is refused even where another source replaces it', () => {
    const problems = problemsOf({ yaml: `${minimal}\nlog: { level: loud }`, set: ['log.level=info'] })

    expect(problems.map(({ key, source }) => [key, source])).toEqual([['log.level', 'file sediment.yaml']])
  })
})

describe('mapping rules', () => {
  it.each<[unknown, string, unknown]>([
    [{}, '[0].topics', undefined],
    [{ topics: [] }, '[0].topics', '[]'],
    [{ topics: ['a', '/[/'] }, '[0].topics[1]', '"/[/"'],
    [{ topics: ['a'], entry: 'a//b' }, '[0].entry', '"a//b"'],
    [{ topics: ['a'], entry: '{topics}' }, '[0].entry', '"{topics}"'],
    [{ topics: ['a'], entry: '{topic}/wal' }, '[0].entry', '"{topic}/wal"'],
    [{ topics: ['a'], entry: '.x/{topic}' }, '[0].entry', '".x/{topic}"'],
    [{ topics: ['a'], bucket: 'wal' }, '[0].bucket', '"wal"'],
    [{ topics: ['a'], bucket: '{topic}/{key}' }, '[0].bucket', '"{topic}/{key}"'],
    [{ topics: ['a'], entry: '{json:a}' }, '[0].entry', '"{json:a}"'],
    [{ topics: ['a'], entry: '{json:/wal}/wal' }, '[0].entry', '"{json:/wal}/wal"'],
    [{ topics: ['a'], entry: 'a'.repeat(513) }, '[0].entry', expect.stringMatching(/^"aaa/)],
    [{ topics: ['a'], entries: { max: 0 } }, '[0].entries.max', '0'],
    [{ topics: ['a'], tombstones: 'drop' }, '[0].tombstones', '"drop"'],
    [{ topics: ['a'], labels: { json: { offset: '/a' } } }, '[0].labels.json.offset', undefined],
    [{ topics: ['a'], labels: { json: { a: 'b' } } }, '[0].labels.json.a', '"b"'],
    [{ topics: ['a'], labels: { constants: { A: 'x' }, json: { a: '/b' } } }, '[0].labels.json.a', undefined],
    [{ topics: ['a'], timestamp: { sources: [] } }, '[0].timestamp.sources', '[]'],
    [
      { topics: ['a'], timestamp: { sources: ['arrival', 'record'] } },
      '[0].timestamp.sources[1]',
      '"record"',
    ],
    [
      { topics: ['a'], timestamp: { sources: [{ header: 'x' }] } },
      '[0].timestamp.sources[0]',
      '{"header":"x"}',
    ],
    [
      { topics: ['a'], timestamp: { sources: [{ json: 'x', format: 'ms' }] } },
      '[0].timestamp.sources[0]',
      '{"json":"x","format":"ms"}',
    ],
    [{ topics: ['a'], filters: [{ key: true }] }, '[0].filters[0]', '{"key":true}'],
    [
      { topics: ['a'], filters: [{ key: true, header: 'h', exists: true }] },
      '[0].filters[0]',
      '{"key":true,"header":"h","exists":true}',
    ],
    [
      { topics: ['a'], filters: [{ key: true, matches: '(a)\\1' }] },
      '[0].filters[0]',
      '{"key":true,"matches":"(a)\\\\1"}',
    ],
    [{ topics: ['a'], bucket: '../x' }, '[0].bucket', '"../x"'],
    [{ topics: ['a'], contentType: 'a,b' }, '[0].contentType', '"a,b"'],
    [{ topics: ['a'], contentType: ' a' }, '[0].contentType', '" a"'],
    [{ topics: ['a'], buckett: 'x' }, '[0].buckett', undefined],
    [{ topics: ['a'], labels: { headers: [1] } }, '[0].labels.headers[0]', '1'],
    [{ topics: ['a'], labels: { key: 'maybe' } }, '[0].labels.key', '"maybe"'],
    [{ topics: ['a'], labels: { constants: { offset: 'x' } } }, '[0].labels.constants.offset', undefined],
    [{ topics: ['a'], labels: { constants: { site: 'ü' } } }, '[0].labels.constants.site', '"ü"'],
    [{ topics: ['a'], labels: [] }, '[0].labels', '[]'],
    [{ topics: ['a'], timestamp: { minMs: -1 } }, '[0].timestamp.minMs', '-1'],
    [{ topics: ['a'], timestamp: { aheadMsMax: 'x' } }, '[0].timestamp.aheadMsMax', '"x"'],
    ['orders', '[0]', '"orders"'],
  ])('are checked to the bottom: %j', (one, path, value) => {
    const problems = problemsOf({ yaml: withTopics('mapping.rules', [one]) })

    expect(problems.map((problem) => [problem.key, problem.value])).toEqual([[`mapping.rules${path}`, value]])
  })

  it('are read as they are written', () => {
    const one = {
      topics: ['a'],
      bucket: 'b-{header:tenant}',
      entry: '{topic}/{json:/site/id}/{yyyy}-{MM}-{dd}T{HH}',
      entries: { max: 5, beyond: 'hold' },
      filters: [
        { header: 'type', equals: ['a', 'b'] },
        { json: '', exists: false },
        { key: true, matches: '^a-\\d+$', not: true },
      ],
      tombstones: 'skip',
      contentBytesMax: 1000,
      contentType: 'application/json',
      labels: { constants: {}, headers: [], key: false, json: { site: '/site/id' }, valuesMax: 10 },
      timestamp: {
        sources: [{ header: 'time', format: 'ns' }, { json: '/t', format: 'iso-utc' }, 'record'],
        minMs: 0,
        aheadMsMax: 0,
        outside: 'hold',
      },
      exclude: [],
      limits: defaultRule.limits,
    }
    const { settings } = load({ yaml: withTopics('mapping.rules', [one]) })

    expect(settings.mapping.rules[0]).toEqual(one)
    expect(createMapper(settings.mapping.rules).forPartition('a', 0)).toBeDefined()
  })

  it('take one text for a list of them in a filter', () => {
    const one = { topics: ['a'], filters: [{ key: true, equals: 'x' }] }
    const { settings } = load({ yaml: withTopics('mapping.rules', [one]) })

    expect(settings.mapping.rules[0]?.filters).toEqual([{ key: true, equals: ['x'] }])
  })

  it('take times and durations as people write them', () => {
    const one = { topics: ['a'], timestamp: { minMs: '2020-01-01T00:00:00Z', aheadMsMax: '2h' } }
    const { settings } = load({ yaml: withTopics('mapping.rules', [one]) })

    expect(settings.mapping.rules[0]?.timestamp).toEqual({
      ...defaultRule.timestamp,
      minMs: 1577836800000,
      aheadMsMax: 7_200_000,
    })
  })
})

describe('contradictions', () => {
  it.each<[string[], string]>([
    [['kafka.sasl.username=u'], 'kafka.sasl.username'],
    [['kafka.sasl.mechanism=plain', 'kafka.sasl.username=u'], 'kafka.sasl.password'],
    [['kafka.sasl.mechanism=plain', 'kafka.sasl.passwordFile=p'], 'kafka.sasl.username'],
    [['kafka.sasl.passwordFile=p'], 'kafka.sasl.passwordFile'],
    [['kafka.sasl.mechanism=oauthbearer'], 'kafka.sasl.oauth.tokenCommand'],
    [['kafka.sasl.oauth.tokenCommand=c'], 'kafka.sasl.oauth.tokenCommand'],
    [[...byEndpoint, secretFile, 'kafka.sasl.oauth.tokenCommand=c'], 'kafka.sasl.oauth.tokenEndpoint'],
    [byEndpoint, 'kafka.sasl.oauth.clientSecret'],
    [[byEndpoint[0]!, byEndpoint[1]!, secretFile], 'kafka.sasl.oauth.clientId'],
    [['kafka.sasl.oauth.scope=s'], 'kafka.sasl.oauth.scope'],
    [['kafka.ssl.caFile=x'], 'kafka.ssl.caFile'],
    [['kafka.ssl.enabled=true', 'kafka.ssl.certFile=x'], 'kafka.ssl.certFile'],
    [['kafka.ssl.enabled=true', 'kafka.ssl.keyPassphraseFile=x'], 'kafka.ssl.keyPassphraseFile'],
    [['kafka.fetchBytesMax=64KiB'], 'kafka.fetchPartitionBytesMax'],
    [['kafka.fetchBytesMax=65MiB'], 'kafka.fetchBytesMax'],
    [['memory.budgetBytes=31MiB'], 'kafka.fetchBytesMax'],
    [['storage.groupBytesMax=200MiB'], 'storage.groupBytesMax'],
    [['storage.logBytesMax=200MiB'], 'storage.logBytesCheckpoint'],
  ])('are found: %j', (set, key) => {
    expect(problemsOf({ set }).map((problem) => problem.key)).toEqual([key])
  })

  it('of fetching and memory say what may stand there', () => {
    expect(problemsOf({ set: ['memory.budgetBytes=20MiB'] })).toEqual([
      {
        key: 'kafka.fetchBytesMax',
        value: '16MiB',
        source: 'default',
        allowed: expect.stringContaining('not be more than half of memory.budgetBytes, which is 20971520'),
      },
    ])
  })

  it('without topics are named', () => {
    expect(problemsOf({ yaml: '' })).toEqual([
      { key: 'kafka.topics', value: '', source: 'default', allowed: 'must be given: topics to consume' },
    ])
  })
})

describe('mistakes', () => {
  it('are reported all at once, from all sources', () => {
    const problems = problemsOf({
      yaml: 'kafka: { topics: [a b], clientID: c }\nmapping: { rules: [{ topics: [a], bucket: / }, 5] }\nhttp: 8383',
      env: { SEDIMENT_LOG_LEVEL: 'loud', SEDIMENT_X: '1' },
      set: ['http.port=x', 'dataPath'],
    })

    expect(problems.map(({ key }) => key).sort()).toEqual([
      'SEDIMENT_X',
      'dataPath',
      'http',
      'http.port',
      'kafka.clientID',
      'kafka.topics[0]',
      'log.level',
      'mapping.rules[0].bucket',
      'mapping.rules[1]',
    ])
  })

  it('of a secret that looks like an alias do not show it', () => {
    const problems = problemsOf({ yaml: 'kafka:\n  sasl:\n    password: *hunter2' })
    expect(JSON.stringify(problems)).not.toContain('hunter2')
  })

  it.each([
    ['[1, 2]', 'must be a map with the keys dataPath, kafka,'],
    ['a: 1\na: 2', 'must be YAML: Map keys must be unique'],
    ['a: *b', 'must be YAML: an alias (*name) has no anchor'],
    ['a: [', 'must be YAML: '],
  ])('of the file as a whole are told: %s', (yaml, allowed) => {
    expect(problemsOf({ yaml })[0]).toMatchObject({
      key: '',
      source: 'file sediment.yaml',
      allowed: expect.stringContaining(allowed),
    })
  })

  it('are told when the file cannot be read', () => {
    expect(() => loadSettings({ file: '/does/not/exist.yaml', env: {}, set: [] })).toThrow(
      /^file \/does\/not\/exist\.yaml: cannot be read: ENOENT/,
    )
  })
})

describe('a password', () => {
  const secret = 'hunter2'

  it.each<[string, Given]>([
    ['of the wrong type', { yaml: withTopics('kafka.sasl.password', [secret]) }],
    ['under a misspelled key', { yaml: withTopics('kafka.sasl.pasword', secret) }],
    ['in the place of its section', { yaml: withTopics('kafka.sasl', secret) }],
    ['without a login', { env: { SEDIMENT_KAFKA_SASL_PASSWORD: secret } }],
    ['in a flag, which everybody can read,', { set: [`kafka.sasl.password=${secret}`] }],
    ['in a misspelled flag', { set: [`kafka.sasl.pasword=${secret}`] }],
  ])('%s is not shown', (_, given) => {
    expect(JSON.stringify(problemsOf(given))).not.toContain(secret)
    expect(() => load(given)).not.toThrow(secret)
  })

  it('is masked in the description, and its absence is not', () => {
    const set = ['kafka.sasl.mechanism=plain', 'kafka.sasl.username=u']
    const valueOf = (given: Given) =>
      describeSettings(load(given)).find(({ key }) => key === 'kafka.sasl.password')?.value

    expect([valueOf({ set, env: { SEDIMENT_KAFKA_SASL_PASSWORD: secret } }), valueOf({})]).toEqual([
      '***',
      '',
    ])
  })
})

describe('the description', () => {
  it('gives every value as one would write it, with its source', () => {
    const lines = describeSettings(load({ set: ['kafka.start=2026-01-31T08:00Z', 'http.port=1'] }))

    expect(lines.map(({ key }) => key)).toEqual(Object.keys(samples))
    expect(lines.filter(({ source }) => source !== 'default')).toEqual([
      {
        key: 'kafka.topics',
        value: 'orders',
        source: 'file sediment.yaml',
        variable: 'SEDIMENT_KAFKA_TOPICS',
      },
      {
        key: 'kafka.start',
        value: '2026-01-31T08:00:00.000Z',
        source: 'flag --set kafka.start',
        variable: 'SEDIMENT_KAFKA_START',
      },
      { key: 'http.port', value: '1', source: 'flag --set http.port', variable: 'SEDIMENT_HTTP_PORT' },
    ])
    expect(lines.find(({ key }) => key === 'storage.groupBytesMax')?.value).toBe('8MiB')
  })

  it('can be written back and gives the same settings', () => {
    const loaded = load({ yaml: withTopics('mapping.rules', [rule]), set: ['kafka.topics=/a{1,2}/,b'] })
    const lines = describeSettings(loaded).filter(({ key }) => key !== 'mapping.rules')
    const again = load({
      yaml: withTopics('mapping.rules', [rule]),
      set: lines.map(({ key, value }) => `${key}=${value}`),
    })

    expect(again.settings).toEqual(loaded.settings)
  })
})
