import { beforeAll, describe, expect, it } from '@jest/globals'
import { readFileSync } from 'node:fs'
import { parse } from 'yaml'
import {
  at,
  lint,
  manifest,
  render,
  schemaFindings,
  treeAt,
  treesAt,
  type Rendered,
  type Tree,
} from './chart.ts'
import { pathsAnswered } from './probes.ts'

const everything = {
  replicaCount: 3,
  image: { repository: 'example.test/sediment', digest: `sha256:${'0a'.repeat(32)}` },
  imagePullSecrets: [{ name: 'pull' }],
  sasl: { existingSecret: 'kafka-user' },
  tls: { existingSecret: 'kafka-tls', clientCertificate: true },
  extraEnv: [{ name: 'SEDIMENT_LOG_LEVEL', value: 'debug' }],
  persistence: { size: '1Ti', storageClass: 'fast', accessMode: 'ReadWriteOncePod', annotations: { a: 'b' } },
  service: { type: 'LoadBalancer', port: 80, annotations: { a: 'b' } },
  podDisruptionBudget: { enabled: true },
  serviceMonitor: { enabled: true, labels: { release: 'prometheus' } },
  prometheusRule: { enabled: true, labels: { release: 'prometheus' } },
  serviceAccount: { annotations: { a: 'b' } },
  podLabels: { team: 'data' },
  podAnnotations: { a: 'b' },
  priorityClassName: 'high',
  nodeSelector: { disk: 'nvme' },
  affinity: { nodeAffinity: {} },
  tolerations: [{ key: 'disk', operator: 'Exists' }],
  topologySpreadConstraints: [
    { maxSkew: 1, topologyKey: 'kubernetes.io/hostname', whenUnsatisfiable: 'DoNotSchedule' },
  ],
  global: { anything: true },
}

let plain: Rendered
let full: Rendered

beforeAll(async () => {
  plain = await render({})
  full = await render(everything)
}, 60_000)

const kindsOf = (rendered: Rendered) => rendered.manifests.map((one) => one['kind']).sort()
const pod = (rendered: Rendered) => treeAt(manifest(rendered, 'StatefulSet'), 'spec', 'template', 'spec')
const containersOf = (rendered: Rendered) => [
  ...treesAt(pod(rendered), 'initContainers'),
  ...treesAt(pod(rendered), 'containers'),
]

describe('the chart', () => {
  it('is clean to helm lint --strict, with few and with many values', async () => {
    expect(await lint({})).toEqual([])
    expect(await lint(everything)).toEqual([])
  })

  it('renders exactly these manifests', () => {
    expect(kindsOf(plain)).toEqual(['ConfigMap', 'Service', 'Service', 'ServiceAccount', 'StatefulSet'])
    expect(kindsOf(full)).toEqual([
      'ConfigMap',
      'PodDisruptionBudget',
      'PrometheusRule',
      'Service',
      'Service',
      'ServiceAccount',
      'ServiceMonitor',
      'StatefulSet',
    ])
  })

  it('fits the Kubernetes schemas of its oldest and of later versions', async () => {
    expect(await schemaFindings(plain.texts)).toEqual([])
    const known = full.texts.filter((text) => !/kind: (ServiceMonitor|PrometheusRule)\n/.test(text))
    expect(known).toHaveLength(full.texts.length - 2)
    expect(await schemaFindings(known)).toEqual([])
  })

  it.each([
    ['a misspelt field', 'serviceName:', 'servceName:'],
    ['a number as text', 'replicas: 1', 'replicas: "1"'],
    ['an unknown field of a container', 'imagePullPolicy:', 'imagePullPolcy:'],
  ])('would be refused by those schemas with %s', async (_what, right, wrong) => {
    const text = plain.texts.find((one) => one.includes('kind: StatefulSet')) ?? ''
    expect(text).toContain(right)
    expect(await schemaFindings([text.replace(right, wrong)])).not.toEqual([])
  })

  it('cannot pass those schemas with empty output', async () => {
    expect(await schemaFindings([''])).toEqual(['no manifest'])
  })

  it.each<[string, Tree, RegExp]>([
    ['an unknown key', { relicaCount: 3 }, /relicaCount/],
    ['an unknown key further down', { image: { tagg: 'x' } }, /tagg/],
    ['no pods', { replicaCount: 0 }, /replicaCount/],
    ['a size that is no quantity', { persistence: { size: '10GB' } }, /persistence\/size/],
    ['a volume that many pods share', { persistence: { accessMode: 'ReadWriteMany' } }, /accessMode/],
    ['root', { podSecurity: { runAsUser: 0 } }, /runAsUser/],
    ['no margin to stop', { shutdown: { marginSeconds: 0 } }, /marginSeconds/],
    ['an interval without unit', { serviceMonitor: { interval: '30' } }, /interval/],
    ['a tag and digest mixed up', { image: { digest: 'latest' } }, /digest/],
  ])('refuses values with %s', async (_what, values, message) => {
    await expect(render(values)).rejects.toThrow(message)
    expect(await lint(values)).not.toEqual([])
  })

  it('selects its own pods with both services, the budget and the monitor', () => {
    const labels = treeAt(manifest(full, 'StatefulSet'), 'spec', 'template', 'metadata', 'labels')
    for (const service of ['orders-sediment', 'orders-sediment-headless']) {
      expect(labels).toMatchObject(treeAt(manifest(full, 'Service', service), 'spec', 'selector'))
    }
    expect(labels).toMatchObject(
      treeAt(manifest(full, 'PodDisruptionBudget'), 'spec', 'selector', 'matchLabels'),
    )
    expect(labels).toMatchObject(treeAt(manifest(full, 'StatefulSet'), 'spec', 'selector', 'matchLabels'))
    const monitored = treeAt(manifest(full, 'ServiceMonitor'), 'spec', 'selector', 'matchLabels')
    expect(treeAt(manifest(full, 'Service', 'orders-sediment'), 'metadata', 'labels')).toMatchObject(
      monitored,
    )
    expect(
      treeAt(manifest(full, 'Service', 'orders-sediment-headless'), 'metadata', 'labels'),
    ).not.toMatchObject(monitored)
  })

  it('names the headless service as the one that governs its pods', () => {
    const name = at(manifest(plain, 'StatefulSet'), 'spec', 'serviceName')
    expect(at(manifest(plain, 'Service', String(name)), 'spec', 'clusterIP')).toBe('None')
  })

  it('has Prometheus scrape the named port of the service', () => {
    expect(at(manifest(full, 'ServiceMonitor'), 'spec')).toEqual({
      selector: { matchLabels: expect.anything() },
      endpoints: [
        {
          port: 'http',
          path: '/metrics',
          interval: '15s',
          scrapeTimeout: '10s',
          relabelings: [
            {
              sourceLabels: ['__meta_kubernetes_namespace', '__meta_kubernetes_pod_name'],
              separator: '/',
              targetLabel: 'instance',
            },
          ],
        },
      ],
    })
    expect(treesAt(manifest(full, 'Service', 'orders-sediment'), 'spec', 'ports')).toEqual([
      { name: 'http', port: 80, targetPort: 'http', protocol: 'TCP' },
    ])
    expect(treesAt(pod(full), 'containers', 0, 'ports')).toEqual([
      { name: 'http', containerPort: 8383, protocol: 'TCP' },
    ])
  })

  it('lets pods that are not ready be evicted', () => {
    expect(at(manifest(full, 'PodDisruptionBudget'), 'spec', 'unhealthyPodEvictionPolicy')).toBe(
      'AlwaysAllow',
    )
  })

  it('runs as the restricted pod security standard wants', () => {
    for (const rendered of [plain, full]) {
      expect(pod(rendered)).toMatchObject({
        automountServiceAccountToken: false,
        enableServiceLinks: false,
        securityContext: {
          runAsNonRoot: true,
          runAsUser: 1000,
          runAsGroup: 1000,
          fsGroup: 1000,
          seccompProfile: { type: 'RuntimeDefault' },
        },
      })
      expect(at(manifest(rendered, 'ServiceAccount'), 'automountServiceAccountToken')).toBe(false)
      const containers = containersOf(rendered)
      expect(containers).toHaveLength(2)
      for (const container of containers) {
        expect(container['securityContext']).toEqual({
          allowPrivilegeEscalation: false,
          readOnlyRootFilesystem: true,
          runAsNonRoot: true,
          capabilities: { drop: ['ALL'] },
        })
        expect(at(container, 'resources', 'limits', 'memory')).toBe('768Mi')
      }
    }
  })

  it('mounts only volumes that are there, with /data from the claim', () => {
    const claims = treesAt(manifest(full, 'StatefulSet'), 'spec', 'volumeClaimTemplates')
    const volumes = [
      ...treesAt(pod(full), 'volumes').map((volume) => volume['name']),
      ...claims.map((claim) => at(claim, 'metadata', 'name')),
    ]
    expect([...volumes].sort()).toEqual(['config', 'data', 'sasl', 'tls', 'tmp'])
    for (const container of containersOf(full)) {
      const mounts = treesAt(container, 'volumeMounts')
      expect(mounts.map((mount) => mount['name']).sort()).toEqual([...volumes].sort())
      expect(mounts).toContainEqual({ name: 'data', mountPath: '/data' })
    }
    expect(treeAt(claims[0], 'spec')).toEqual({
      accessModes: ['ReadWriteOncePod'],
      storageClassName: 'fast',
      resources: { requests: { storage: '1Ti' } },
    })
  })

  it('probes only paths that the server answers', async () => {
    const container = treeAt(pod(plain), 'containers', 0)
    const probed = ['startupProbe', 'livenessProbe', 'readinessProbe'].map((probe) => {
      expect(at(container, probe, 'httpGet', 'port')).toBe('http')
      return at(container, probe, 'httpGet', 'path')
    })
    expect(probed).toEqual(['/livez', '/livez', '/readyz'])
    expect(await pathsAnswered(['/livez', '/readyz', '/healthz'])).toEqual(['/livez', '/readyz'])
  })

  it('keeps secrets out of the ConfigMap and takes them from the named Secret', () => {
    const text = JSON.stringify(manifest(full, 'ConfigMap'))
    expect(text).not.toMatch(/kafka-user/)
    for (const container of containersOf(full)) {
      expect(treesAt(container, 'env')).toContainEqual({
        name: 'SEDIMENT_KAFKA_SASL_USERNAME',
        valueFrom: { secretKeyRef: { name: 'kafka-user', key: 'username' } },
      })
      expect(JSON.stringify(at(container, 'env'))).not.toMatch(/PASSWORD|"password"/)
    }
    expect(treesAt(pod(full), 'volumes')).toContainEqual({
      name: 'sasl',
      secret: {
        secretName: 'kafka-user',
        defaultMode: expect.anything(),
        items: [{ key: 'password', path: 'password' }],
      },
    })
    expect(treesAt(pod(full), 'volumes')).toContainEqual({
      name: 'tls',
      secret: { secretName: 'kafka-tls', defaultMode: expect.anything() },
    })
  })

  it('restarts its pods when the configuration changes, and only then', async () => {
    const checksum = (rendered: Rendered) =>
      at(manifest(rendered, 'StatefulSet'), 'spec', 'template', 'metadata', 'annotations', 'checksum/config')
    const other = await render({ config: { kafka: { brokers: ['elsewhere:9092'] } } })
    const labelled = await render({ serviceMonitor: { enabled: true } })
    expect(checksum(other)).not.toBe(checksum(plain))
    expect(checksum(labelled)).toBe(checksum(plain))
  })

  it('carries the alert rules as they are', () => {
    const rules = readFileSync('helm/sediment/rules/alerts.yaml', 'utf8')
    expect(at(manifest(full, 'PrometheusRule'), 'spec')).toEqual(parse(rules))
    expect(at(manifest(full, 'PrometheusRule'), 'metadata', 'labels')).toMatchObject({
      release: 'prometheus',
    })
  })

  it('says in its notes how to see whether it works', () => {
    expect(plain.notes).toContain('service/orders-sediment 8383:8383')
    expect(plain.notes).toContain('sediment.cjs ls --data /data')
    expect(plain.notes).toContain('No secret is set')
    expect(full.notes).not.toContain('No secret is set')
  })

  it('says in its notes how to get a shell on a volume, by a pod that the cluster takes', async () => {
    const awkward = await render({ extraEnv: [{ name: 'NOTE', value: "it's" }] })
    for (const rendered of [plain, full, awkward]) {
      const [, quoted = ''] = /--overrides='(.*)'\n/.exec(rendered.notes) ?? []
      const { spec } = JSON.parse(quoted.replaceAll("'\\''", "'")) as { readonly spec: Tree }
      const shell = { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'shell' }, spec }
      expect(await schemaFindings([JSON.stringify(shell)])).toEqual([])
      expect(at(spec, 'volumes', 0)).toEqual({
        name: 'data',
        persistentVolumeClaim: { claimName: 'data-orders-sediment-0' },
      })
      const sediment = treeAt(pod(rendered), 'containers', 0)
      for (const key of ['image', 'env', 'securityContext'])
        expect(at(spec, 'containers', 0, key)).toEqual(sediment[key])
    }
  })
})
