import { partitionName } from '../../kafka/topic-partition.ts'
import { acceptHold, type Acceptance, type AcceptanceKind } from '../../ledger/acceptance.ts'
import { encodeDelta } from '../../ledger/ledger-codec.ts'
import type { OffsetLedger } from '../../ledger/offset-ledger.ts'
import { dataPathOf, type ConfigurationOptions } from '../configuration.ts'
import type { Context } from '../context.ts'
import { readLedger, withStore } from '../open-store.ts'
import { UsageError } from '../usage-error.ts'

export interface AcceptOptions extends ConfigurationOptions {
  readonly apply?: boolean
}

/**
 * Says what accepting the hold of a partition means; with `--apply` makes it durable, for which nobody else may have
 * the directory open.
 */
export async function accept(
  kind: AcceptanceKind,
  topic: string,
  partitionText: string,
  options: AcceptOptions,
  context: Context,
): Promise<void> {
  if (!/^\d{1,9}$/.test(partitionText)) throw new UsageError(`${partitionText} is no number of a partition`)
  const place = { topic, partition: Number(partitionText) }
  const dataPath = dataPathOf(options, context)
  const decide = (
    ledger: OffsetLedger,
    clusterId: string | undefined,
  ): Acceptance & { clusterId: string } => {
    if (clusterId === undefined) throw new UsageError(`${dataPath} has never been used with a cluster`)
    const plan = acceptHold(kind, place, ledger.position({ ...place, clusterId }))
    if (typeof plan === 'string') throw new UsageError(`${plan}; see what is held with: sediment gaps`)
    return { ...plan, clusterId }
  }
  const told = ({ meaning, nextOffset }: Acceptance): string =>
    `${partitionName(place)}: ${meaning}; it goes on at ${nextOffset}`

  if (options.apply !== true) {
    const { ledger, clusterId } = await readLedger(dataPath)
    await context.stdout.lines([
      told(decide(ledger, clusterId)),
      'nothing was changed; to accept it: --apply',
    ])
    return
  }
  const accepted = await withStore(dataPath, async (storage, ledger) => {
    const plan = decide(ledger, storage.identity.clusterId)
    await storage.submit({ writes: [], delta: encodeDelta(plan.clusterId, [plan.advance]) })
    return plan
  })
  await context.stdout.line(`accepted: ${told(accepted)}`)
}
