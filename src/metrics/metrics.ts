import { Registry } from 'prom-client'
import type { FileSystemObserver } from '../fs/file-system.ts'
import type { SinkObserver } from '../sink/observer.ts'
import type { StorageObserver } from '../storage/index.ts'
import { fileSystemMetrics } from './file-system-metrics.ts'
import { createMetricSet, type MetricSet } from './metric-set.ts'
import { registerProcessMetrics } from './process-metrics.ts'
import { applySample, type Sample } from './sample.ts'
import { sinkMetrics } from './sink-metrics.ts'
import { storageMetrics, type StorageMetrics } from './storage-metrics.ts'

export interface MetricsOptions {
  readonly version: string
  /** Also the metrics of the Node.js process; off in tests that compare texts. */
  readonly process?: boolean
}

/** The observers that the rooms report to, and the text that Prometheus scrapes. Has its own registry. */
export class Metrics {
  readonly storage: StorageObserver
  readonly fileSystem: FileSystemObserver
  readonly sink: SinkObserver
  readonly #registry = new Registry()
  readonly #metrics: MetricSet
  readonly #storageMetrics: StorageMetrics

  constructor({ version, process: withProcess = true }: MetricsOptions) {
    this.#metrics = createMetricSet(this.#registry)
    this.#metrics.buildInfo.set({ version, node_version: process.version }, 1)
    if (withProcess) registerProcessMetrics(this.#registry)
    this.#storageMetrics = storageMetrics(this.#metrics)
    this.storage = this.#storageMetrics.observer
    this.fileSystem = fileSystemMetrics(this.#metrics)
    this.sink = sinkMetrics(this.#metrics)
  }

  get contentType(): string {
    return this.#registry.contentType
  }

  /** Prometheus' exposition format. Without a sample the last one's values stay. */
  text(sample?: Sample): Promise<string> {
    this.#storageMetrics.flush()
    if (sample !== undefined) applySample(this.#metrics, sample)
    return this.#registry.metrics()
  }
}
