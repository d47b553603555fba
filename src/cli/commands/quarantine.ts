import { resolve } from 'node:path'
import { existingEntries } from '../../app/existing-entries.ts'
import {
  quarantinedRecords,
  readMessage,
  type QuarantinedRecord,
  type QuarantineFilter,
} from '../../app/quarantine/quarantined.ts'
import {
  planReplay,
  replayQuarantine,
  type ReplayOptions,
  type ReplayOutcome,
} from '../../app/quarantine/replay-quarantine.ts'
import { bucketSettingsOf } from '../../app/room-options.ts'
import { createRecordMapper } from '../../app/topic-guard.ts'
import { silentLogger } from '../../base/logger.ts'
import type { OffsetLedger } from '../../ledger/offset-ledger.ts'
import type { QuarantinedMessage } from '../../sink/quarantine.ts'
import type { RecordReader } from '../../storage/index.ts'
import { dataPathOf, loadConfiguration, type ConfigurationOptions } from '../configuration.ts'
import type { Context } from '../context.ts'
import { exitCodes } from '../exit-codes.ts'
import { readLedger, withReader, withStore } from '../open-store.ts'
import { count, formatBytes, formatCount } from '../quantities.ts'
import { bytesField } from '../record-json.ts'
import { formatTable } from '../table.ts'
import { formatTimeUs } from '../time-argument.ts'
import { UsageError } from '../usage-error.ts'
import { wholeNumber } from '../whole-number.ts'

export interface QuarantineLsOptions extends ConfigurationOptions {
  readonly cause?: string
  readonly messages?: boolean
  readonly json?: boolean
}

export interface QuarantineShowOptions extends ConfigurationOptions {
  readonly json?: boolean
  readonly payload?: boolean
}

export interface QuarantineReplayOptions extends ConfigurationOptions {
  readonly cause?: string
  readonly apply?: boolean
  readonly json?: boolean
}

/** Lists what is in quarantine; also while `sediment run` writes. */
export async function quarantineLs(
  topic: string | undefined,
  partition: string | undefined,
  options: QuarantineLsOptions,
  context: Context,
): Promise<void> {
  const filter = filterOf(topic, partition, options.cause)
  const { stdout } = context
  await withReader(dataPathOf(options, context), async (reader) => {
    const found = quarantinedRecords(reader, filter)
    if (options.json === true) for await (const record of found) await stdout.line(recordJson(record))
    else if (options.messages === true) await stdout.lines(await messageTable(found))
    else await stdout.lines(await causeTable(found))
  })
}

/** Shows one message, whole. Of several records of it – offsets that began anew – the latest. */
export async function quarantineShow(
  topic: string,
  partition: string,
  offset: string,
  options: QuarantineShowOptions,
  context: Context,
): Promise<void> {
  const filter = { ...filterOf(topic, partition), offset: wholeNumber('offset', offset) }
  await withReader(dataPathOf(options, context), async (reader) => {
    let found: QuarantinedRecord | undefined
    for await (const record of quarantinedRecords(reader, filter)) found = record
    if (found?.batchEnd !== undefined) return showBatch(found, options, context)
    const message = found && (await readMessage(found))
    if (found === undefined || message === undefined)
      throw new UsageError(
        `${topic}/${partition} offset ${offset} is not in quarantine; see what is: sediment quarantine ls`,
      )
    const { stdout } = context
    if (options.payload === true) await stdout.write(message.record.value ?? new Uint8Array(0))
    else if (options.json === true) await stdout.line(messageJson(found, message))
    else await stdout.lines(messageLines(found, message))
  })
}

async function showBatch(
  found: QuarantinedRecord,
  { payload, json }: QuarantineShowOptions,
  { stdout }: Context,
): Promise<void> {
  const { topic, partition, offset, batchEnd = 0, cause, detail, stored } = found
  if (payload === true) return stdout.write(await stored.read())
  if (json === true) return stdout.line(recordJson(found))
  return stdout.lines([
    `batch     ${topic}/${partition} offsets ${offset} to ${batchEnd - 1}`,
    `cause     ${cause}: ${detail}`,
    `arrived   ${formatTimeUs(stored.timestampUs)}`,
    `bytes     ${formatBytes(stored.contentBytes)} as the broker sent them; see them with --payload`,
    `kept in   ${stored.bucket}/${stored.entry} at ${stored.timestampUs}`,
  ])
}

/** Maps quarantined messages again; stores them with `--apply`. @returns the exit code */
export async function quarantineReplay(
  topic: string | undefined,
  partition: string | undefined,
  options: QuarantineReplayOptions,
  context: Context,
): Promise<number> {
  const filter = filterOf(topic, partition, options.cause)
  // Of the configuration only the rules are asked for, and those need no topics.
  const { settings } = loadConfiguration(
    { ...options, set: ['kafka.topics=any', ...(options.set ?? [])] },
    context,
  )
  const { rules } = settings.mapping
  const dataPath = resolve(settings.dataPath)
  const tally = new Tally()
  const optionsOf = async (reader: RecordReader, ledger: OffsetLedger): Promise<ReplayOptions> => {
    const topics = ledger.positions().map((row) => row.topic)
    return {
      filter,
      mapper: createRecordMapper(rules, await existingEntries(reader, rules), topics, silentLogger),
      onOutcome: (record, outcome) => {
        tally.add(record, outcome)
        context.progress.show(`${count(tally.messages, 'message')} of ${record.topic}/${record.partition}`)
      },
    }
  }
  try {
    if (options.apply === true) {
      await withStore(
        dataPath,
        async (storage, ledger) => replayQuarantine(storage, await optionsOf(storage, ledger)),
        bucketSettingsOf(settings),
      )
    } else {
      const { ledger } = await readLedger(dataPath)
      await withReader(dataPath, async (reader) => planReplay(reader, await optionsOf(reader, ledger)))
    }
  } finally {
    context.progress.clear()
  }
  const isApplied = options.apply === true
  if (options.json === true) await context.stdout.line(tally.json(isApplied))
  else await context.stdout.lines(tally.lines(isApplied))
  return tally.staying > 0 ? exitCodes.unexpected : exitCodes.ok
}

/** Outcomes, counted by partition and what they are; of each the first offset and words. */
class Tally {
  messages = 0
  stored = 0
  wasStored = 0
  staying = 0
  readonly #groups = new Map<string, { cells: readonly string[]; messages: number; detail: string }>()

  add({ topic, partition, offset }: QuarantinedRecord, outcome: ReplayOutcome): void {
    this.messages += 1
    if (outcome.kind === 'stored') this.stored += 1
    else if (outcome.kind === 'was-stored') this.wasStored += 1
    else this.staying += 1
    const what = outcome.kind === 'stays' ? ['stays', outcome.why] : [outcome.kind, outcome.into]
    const cells = [`${topic}/${partition}`, ...what]
    const key = JSON.stringify(cells)
    const group = this.#groups.get(key)
    const detail = `offset ${offset}${outcome.kind === 'stays' && outcome.detail !== '' ? `: ${outcome.detail}` : ''}`
    if (group === undefined) this.#groups.set(key, { cells, messages: 1, detail })
    else group.messages += 1
  }

  lines(isApplied: boolean): string[] {
    if (this.messages === 0) return ['nothing to replay']
    const columns = ['PARTITION', 'OUTCOME', 'ENTRY OR WHY'].map((title) => ({
      title,
      align: 'left' as const,
    }))
    const rows = [...this.#groups.values()].map(({ cells, messages, detail }) => [
      ...cells,
      formatCount(messages),
      detail,
    ])
    const staying = this.staying === 0 ? '' : `, ${formatCount(this.staying)} stay in quarantine`
    return [
      ...formatTable(
        [...columns, { title: 'MESSAGES', align: 'right' }, { title: 'FIRST', align: 'left' }],
        rows,
      ),
      isApplied
        ? `${count(this.stored, 'message')} stored${this.wasStored === 0 ? '' : `, ${formatCount(this.wasStored)} had been stored`}${staying}`
        : `${count(this.stored, 'message')} would be stored${staying}; nothing was changed; to do it: --apply`,
    ]
  }

  json(isApplied: boolean): string {
    const { messages, stored, wasStored, staying } = this
    const groups = [...this.#groups.values()].map(({ cells: [partition, outcome, what], ...rest }) => ({
      partition,
      outcome,
      ...(outcome === 'stays' ? { why: what } : { into: what }),
      messages: rest.messages,
      first: rest.detail,
    }))
    return JSON.stringify({ isApplied, messages, stored, wasStored, staying, groups })
  }
}

async function causeTable(found: AsyncIterable<QuarantinedRecord>): Promise<string[]> {
  const groups = new Map<string, { cells: string[]; messages: number; replayed: number; lastUs: bigint }>()
  for await (const { topic, partition, cause, rule, replay, stored } of found) {
    const cells = [`${topic}/${partition}`, cause, rule]
    const group = groups.get(JSON.stringify(cells)) ?? { cells, messages: 0, replayed: 0, lastUs: 0n }
    groups.set(JSON.stringify(cells), group)
    group.messages += 1
    if (replay === 'done') group.replayed += 1
    if (stored.timestampUs > group.lastUs) group.lastUs = stored.timestampUs
  }
  if (groups.size === 0) return ['nothing is in quarantine']
  return formatTable(
    [
      { title: 'PARTITION', align: 'left' },
      { title: 'CAUSE', align: 'left' },
      { title: 'RULE', align: 'left' },
      { title: 'MESSAGES', align: 'right' },
      { title: 'REPLAYED', align: 'right' },
      { title: 'LATEST', align: 'left' },
    ],
    [...groups.values()].map(({ cells, messages, replayed, lastUs }) => [
      ...cells,
      formatCount(messages),
      formatCount(replayed),
      formatTimeUs(lastUs),
    ]),
  )
}

async function messageTable(found: AsyncIterable<QuarantinedRecord>): Promise<string[]> {
  const rows: string[][] = []
  for await (const record of found) {
    const { topic, partition, offset, cause, rule, detail, replay, stored } = record
    const state = replay === 'done' ? 'replayed' : ''
    rows.push([
      `${topic}/${partition}`,
      String(offset),
      formatTimeUs(stored.timestampUs),
      cause,
      rule,
      state,
      detail,
    ])
  }
  if (rows.length === 0) return ['nothing is in quarantine']
  const left = (title: string) => ({ title, align: 'left' as const })
  return formatTable(
    [
      left('PARTITION'),
      { title: 'OFFSET', align: 'right' },
      ...['ARRIVED', 'CAUSE', 'RULE', 'STATE', 'DETAIL'].map(left),
    ],
    rows,
  )
}

function recordJson(record: QuarantinedRecord): string {
  const { topic, partition, offset, batchEnd, cause, detail, rule, replay, stored } = record
  const { bucket, entry, timestampUs } = stored
  return JSON.stringify({
    topic,
    partition,
    offset,
    ...(batchEnd === undefined ? {} : { nextOffset: batchEnd }),
    arrived: formatTimeUs(timestampUs),
    cause,
    detail,
    rule,
    isReplayed: replay === 'done',
    bucket,
    entry,
    timestampUs: Number(timestampUs),
  })
}

function messageJson(found: QuarantinedRecord, { record, reason }: QuarantinedMessage): string {
  return JSON.stringify({
    ...(JSON.parse(recordJson(found)) as object),
    ...reason,
    timestampMs: record.timestampMs,
    timestampType: record.timestampType,
    ...bytesField('key', record.key),
    headers: record.headers.map(({ name, value }) => ({
      ...bytesField('name', name),
      ...bytesField('value', value),
    })),
    ...bytesField('value', record.value),
  })
}

function messageLines({ stored, replay }: QuarantinedRecord, message: QuarantinedMessage): string[] {
  const { topic, partition, record, reason } = message
  return [
    `message   ${topic}/${partition} offset ${record.offset}`,
    `cause     ${reason.cause}${reason.detail === '' ? '' : `: ${reason.detail}`}`,
    `rule      ${reason.rule}`,
    `arrived   ${formatTimeUs(stored.timestampUs)}`,
    `time      ${record.timestampMs < 0 ? 'none' : `${formatTimeUs(BigInt(record.timestampMs) * 1000n)} (${record.timestampType})`}`,
    `key       ${bytesText(record.key)}`,
    ...record.headers.map(({ name, value }) => `header    ${bytesText(name)}: ${bytesText(value)}`),
    `value     ${record.value === null ? 'null (a tombstone)' : `${formatBytes(record.value.byteLength)}; see it with --payload`}`,
    `kept in   ${stored.bucket}/${stored.entry} at ${stored.timestampUs}`,
    ...(replay === 'done' ? ['replayed  yes'] : []),
  ]
}

function bytesText(bytes: Uint8Array | null): string {
  const [[name, text] = ['', null]] = Object.entries(bytesField('bytes', bytes))
  return text === null ? 'null' : `${JSON.stringify(text)}${name.endsWith('Base64') ? ' (base64)' : ''}`
}

function filterOf(topic?: string, partition?: string, cause?: string): QuarantineFilter {
  return {
    topic,
    partition: partition === undefined ? undefined : wholeNumber('partition', partition),
    cause,
  }
}
