import { collectDefaultMetrics, type Registry } from 'prom-client'

/** Gauges with `_total` at their end: prom-client keeps the names for old dashboards, `promtool` refuses them. */
const MISNAMED = [
  'nodejs_active_handles_total',
  'nodejs_active_requests_total',
  'nodejs_active_resources_total',
]

/** CPU, memory, event loop, garbage collection: the names that every Node.js dashboard knows, without our prefix. */
export function registerProcessMetrics(registry: Registry): void {
  collectDefaultMetrics({ register: registry })
  for (const name of MISNAMED) registry.removeSingleMetric(name)
}
