import { Command } from 'commander'
import {
  bucketCreate,
  bucketLs,
  bucketRename,
  bucketRm,
  bucketSet,
  bucketShow,
  entryRename,
  entryRm,
  type BucketOptions,
  type BucketSettingsOptions,
  type RemovalOptions,
} from './commands/bucket.ts'
import {
  attachmentCat,
  attachmentLs,
  attachmentRm,
  attachmentSet,
  type AttachmentLsOptions,
  type AttachmentRemovalOptions,
  type AttachmentSetOptions,
} from './commands/attachment.ts'
import { accept, type AcceptOptions } from './commands/accept.ts'
import { cat } from './commands/cat.ts'
import { configCheck, configShow, type ConfigShowOptions } from './commands/config.ts'
import { explain, type ExplainOptions } from './commands/explain.ts'
import { gaps, type GapsOptions } from './commands/gaps.ts'
import { ls, type LsOptions } from './commands/ls.ts'
import { plan, type PlanOptions } from './commands/plan.ts'
import {
  quarantineLs,
  quarantineReplay,
  quarantineShow,
  type QuarantineLsOptions,
  type QuarantineReplayOptions,
  type QuarantineShowOptions,
} from './commands/quarantine.ts'
import { query, type QueryOptions } from './commands/query.ts'
import { run, type RunOptions } from './commands/run.ts'
import { recordLabel, recordRm, type RecordRemovalOptions } from './commands/record.ts'
import { repair, type RepairCommandOptions } from './commands/repair.ts'
import { replay, type ReplayCommandOptions } from './commands/replay.ts'
import { settle } from './commands/settle.ts'
import { verify, type VerifyCommandOptions } from './commands/verify.ts'
import type { ConfigurationOptions } from './configuration.ts'
import type { Context } from './context.ts'

const EXIT_CODES = `
Exit codes: 0 ok · 1 unexpected, or something found (verify, repair, replay, plan) · 2 usage or configuration · 3 broker
unreachable or refused · 4 topic missing · 5 directory locked, read-only, full, of a newer format, of another cluster or
group, or something else in its place · 6 damaged, needs a person · 7 I/O failed · 8 consumer dead or stuck
· 130 or 143 stop ended early by a second signal`

const TIMES = `
Times are ISO (2025-01-01, 2025-01-01T12:00:00Z), microseconds since 1970, or how long ago (90s, 15m, 1h, 7d).`

/** The commands. `finish` is told the exit code of the one that ran; what it throws is the caller's to report. */
export function createProgram(context: Context, finish: (exitCode: number) => void): Command {
  const program = new Command('sediment')
  program
    .description(
      'Settles Kafka topics, exactly once, into time-ordered blob blocks on local disk (ReductStore files).',
    )
    .version(context.version)
    .exitOverride()
    .configureOutput({
      outputError: (text, write) =>
        write(`sediment: ${text.trim().replace(/^error: /, '')}; see: sediment --help\n`),
    })
    .addHelpText(
      'after',
      `
Examples:
  sediment run --config config/local.yaml         consume until stopped
  sediment run --set kafka.topics=orders --set kafka.brokers=localhost:9092 --data ./data
  sediment ls                                     what is stored
  sediment query kafka/orders --start 1h --json   the last hour of a topic, all partitions by time
  sediment verify                                 check every block and every content
${EXIT_CODES}`,
    )

  const withExit =
    <Arguments extends unknown[]>(action: (...given: Arguments) => Promise<number | void>) =>
    async (...given: Arguments): Promise<void> =>
      finish((await action(...given)) ?? 0)

  configurable(program.command('run'))
    .description('Consume the configured topics until SIGTERM or SIGINT, then drain, commit and close.')
    .option('--until-caught-up', 'end once everything that Kafka holds at the start is stored')
    .addHelpText(
      'after',
      `
A second signal ends the process at once, with exit code 130 (SIGINT) or 143 (SIGTERM): what is not durable yet is
read again from Kafka, the next start recovers, nothing is lost.

Examples:
  sediment run --config config/local.yaml
  sediment run --set kafka.topics=orders,/^sensor-/ --set kafka.brokers=localhost:9092 --data ./data
  sediment run --config config/local.yaml --until-caught-up    a backfill; exit code 8 when held partitions remain
${EXIT_CODES}`,
    )
    .action(withExit((options: RunOptions) => run(options, context)))

  configurable(program.command('ls'))
    .argument('[entry]', 'bucket, bucket/entry, or either with *')
    .description('List entries with their records, size and time range.')
    .option('--json', 'one JSON object a line')
    .addHelpText(
      'after',
      '\nExamples:\n  sediment ls\n  sediment ls kafka/orders --json\n  sediment ls --data /backup/data',
    )
    .action(withExit((entry: string | undefined, options: LsOptions) => ls(entry, options, context)))

  configurable(program.command('cat'))
    .argument('<entry>', 'bucket/entry')
    .argument('<timestamp>', 'time of the record, exactly')
    .description('Write the content of one record to standard output, nothing added.')
    .addHelpText('after', `${TIMES}\n\nExample:\n  sediment cat kafka/camera/0 1735689600000000 > image.jpeg`)
    .action(
      withExit((entry: string, timestamp: string, options: ConfigurationOptions) =>
        cat(entry, timestamp, options, context),
      ),
    )

  configurable(program.command('query'))
    .argument('<entry>', 'bucket, bucket/entry, or either with *; records of several entries come by time')
    .description('Show records by time and label.')
    .option('--start <time>', 'first time, inclusive')
    .option('--stop <time>', 'last time, exclusive')
    .option('--label <name=value>', 'only records with this label; may be repeated', collect)
    .option('--limit <count>', 'at most so many records')
    .option('--json', 'one JSON object a line, with key and headers of Kafka')
    .option('--payload', 'the content: in base64 with --json, otherwise raw and nothing else')
    .addHelpText(
      'after',
      `${TIMES}

Examples:
  sediment query kafka/orders --start 1h
  sediment query 'kafka/sensor-*' --start 2025-01-01 --stop 2025-01-02 --label site=berlin --json
  sediment query kafka/orders/0 --label offset=17 --payload`,
    )
    .action(withExit((entry: string, options: QueryOptions) => query(entry, options, context)))

  configurable(program.command('verify'))
    .description(
      'Check a directory without changing it: structure, checksums, contents, the offset ledger; say what the next open ' +
        'would do.',
    )
    .option('--json', 'the whole report as one JSON object')
    .option('--no-content', 'leave contents unread: faster, finds less')
    .addHelpText(
      'after',
      `
Every offset that the ledger calls stored must have its record, and every record its offset in the ledger, once. Once
records have been removed or evicted, or a bucket evicts, missing ones are only noted: what a removal takes leaves nothing
to tell it from loss. Beside a writer, and where the log is damaged, the ledger is not looked at.

Notes are no faults: what earlier opens and repairs have kept aside, and names that nobody asks for.

Exit codes: 0 clean · 1 findings that the next open mends · 6 acknowledged data is damaged, or the ledger is wrong

Examples:
  sediment verify --data ./data
  sediment verify --json | jq .findings`,
    )
    .action(withExit((options: VerifyCommandOptions) => verify(options, context)))

  configurable(program.command('repair'))
    .description(
      'Show what is damaged and what a repair would do. With --apply it needs the directory for itself.',
    )
    .option('--apply', 'do it; what is replaced goes to .sediment/quarantine')
    .option('--rebuild-ledger', 'make the offset ledger anew from the records, as far as they prove it')
    .option('--json', 'what was done or would be, and the report of verify, as one JSON object')
    .addHelpText(
      'after',
      `
Exit codes, of the directory as it is in the end: 0 clean · 1 findings that the next open mends · 6 damaged

With --rebuild-ledger the ledger becomes what the offsets of the stored records prove, also where nothing else is damaged:
reading goes on behind the last stored offset, what the ledger knew of gaps stays, and offsets that neither explains are
recorded as unknown. Where the ledger is lost that is what tells a start what it must not store again.
Partitions that are behind what was committed to Kafka are held by the next run, and named; the command says how to go on.

Examples:
  sediment repair --data ./data
  sediment repair --data ./data --apply
  sediment repair --data ./data --rebuild-ledger           what would become of the ledger
  sediment repair --data ./data --rebuild-ledger --apply`,
    )
    .action(withExit((options: RepairCommandOptions) => repair(options, context)))

  configurable(program.command('settle'))
    .description(
      'Fold every open block, so that stock ReductStore finds no write-ahead log. Needs the directory for itself.',
    )
    .addHelpText('after', '\nExample:\n  sediment settle --data ./data')
    .action(withExit((options: ConfigurationOptions) => settle(options, context)))

  const bucket = program
    .command('bucket')
    .description(
      'Make, change, rename or remove buckets. Needs the directory for itself: stop `sediment run` first.',
    )
    .addHelpText(
      'after',
      `
Examples:
  sediment bucket ls
  sediment bucket create cameras --quota fifo:200GB
  sediment bucket set cameras --quota hard:500GB
  sediment bucket rm cameras --yes`,
    )
  configurable(bucket.command('ls'))
    .description('List buckets with their size, quota and limits.')
    .option('--json', 'one JSON object a line')
    .action(withExit((options: BucketOptions) => bucketLs(options, context)))
  configurable(bucket.command('show'))
    .argument('<bucket>')
    .description('Show one bucket.')
    .option('--json', 'as one JSON object')
    .action(withExit((name: string, options: BucketOptions) => bucketShow(name, options, context)))
  withBucketSettings(configurable(bucket.command('create')))
    .argument('<bucket>')
    .description('Make an empty bucket.')
    .action(withExit((name: string, options: BucketSettingsOptions) => bucketCreate(name, options, context)))
  withBucketSettings(configurable(bucket.command('set')))
    .argument('<bucket>')
    .description('Change settings of a bucket; they hold for everything in it.')
    .action(withExit((name: string, options: BucketSettingsOptions) => bucketSet(name, options, context)))
  configurable(bucket.command('rename'))
    .argument('<from>')
    .argument('<to>')
    .description('Give a bucket another name. Rules that name the old one make it anew.')
    .action(
      withExit((from: string, to: string, options: ConfigurationOptions) =>
        bucketRename(from, to, options, context),
      ),
    )
  configurable(bucket.command('rm'))
    .argument('<bucket>')
    .description('Remove a bucket and everything in it; without --yes only say what would go (exit code 2).')
    .option('--yes', 'remove it')
    .action(withExit((name: string, options: RemovalOptions) => bucketRm(name, options, context)))

  const entry = program
    .command('entry')
    .description('Rename or remove entries. Needs the directory for itself: stop `sediment run` first.')
  configurable(entry.command('rename'))
    .argument('<entry>', 'bucket/entry')
    .argument('<to>', 'its new path in the bucket')
    .description('Move an entry and everything below it to another path of its bucket.')
    .addHelpText('after', '\nExample:\n  sediment entry rename kafka/orders archive/orders')
    .action(
      withExit((from: string, to: string, options: ConfigurationOptions) =>
        entryRename(from, to, options, context),
      ),
    )
  configurable(entry.command('rm'))
    .argument('<entry>', 'bucket/entry')
    .description(
      'Remove an entry and everything below it; without --yes only say what would go (exit code 2).',
    )
    .option('--yes', 'remove it')
    .action(withExit((path: string, options: RemovalOptions) => entryRm(path, options, context)))

  const record = program
    .command('record')
    .description('Remove or relabel records. Needs the directory for itself: stop `sediment run` first.')
  configurable(record.command('rm'))
    .argument('<entry>', 'bucket/entry')
    .description('Remove records by time and label; without --yes only say how many would go (exit code 2).')
    .option('--start <time>', 'first time, inclusive')
    .option('--stop <time>', 'last time, exclusive')
    .option('--label <name=value>', 'only records with this label; may be repeated', collect)
    .option('--all', 'all records of the entry, where nothing else says which')
    .option('--yes', 'remove them')
    .addHelpText('after', `${TIMES}\n\nExample:\n  sediment record rm kafka/camera/0 --stop 30d --yes`)
    .action(withExit((path: string, options: RecordRemovalOptions) => recordRm(path, options, context)))
  configurable(record.command('label'))
    .argument('<entry>', 'bucket/entry')
    .argument('<timestamp>', 'time of the record, exactly')
    .argument('<name=value...>', 'labels to set; without a value to remove')
    .description('Change labels of one record.')
    .addHelpText(
      'after',
      `${TIMES}\n\nExample:\n  sediment record label kafka/camera/0 1735689600000000 checked=yes draft=`,
    )
    .action(
      withExit((path: string, timestamp: string, labels: string[], options: ConfigurationOptions) =>
        recordLabel(path, timestamp, labels, options, context),
      ),
    )

  const attachment = program
    .command('attachment')
    .description('Files that describe an entry or bucket, such as a schema: one content for each key.')
    .addHelpText(
      'after',
      `
They are ReductStore's attachments: records of <entry>/$meta with a label key, hidden from lists, counted in sizes, and never
evicted. Its clients expect JSON in them. set and rm need the directory for itself: stop \`sediment run\` first.

Examples:
  sediment attachment set kafka/orders schema schema.json --type application/json
  sediment attachment ls kafka/orders
  sediment attachment cat kafka/orders schema > schema.json
  sediment attachment rm kafka/orders schema --yes`,
    )
  configurable(attachment.command('set'))
    .argument('<entry>', 'bucket/entry, or a bucket')
    .argument('<key>')
    .argument('[file]', 'standard input where none is given')
    .description('Store a file under a key; what had the key before is removed once this is durable.')
    .option('--type <type>', 'its content type', 'application/octet-stream')
    .action(
      withExit((path: string, key: string, file: string | undefined, options: AttachmentSetOptions) =>
        attachmentSet(path, key, file, options, context),
      ),
    )
  configurable(attachment.command('ls'))
    .argument('<entry>', 'bucket/entry, or a bucket')
    .description('List keys with size, type and time.')
    .option('--json', 'one JSON object a line')
    .action(withExit((path: string, options: AttachmentLsOptions) => attachmentLs(path, options, context)))
  configurable(attachment.command('cat'))
    .argument('<entry>', 'bucket/entry, or a bucket')
    .argument('<key>')
    .description('Write the content of a key to standard output, nothing added.')
    .action(
      withExit((path: string, key: string, options: ConfigurationOptions) =>
        attachmentCat(path, key, options, context),
      ),
    )
  configurable(attachment.command('rm'))
    .argument('<entry>', 'bucket/entry, or a bucket')
    .argument('<key>')
    .description('Remove a key; without --yes only say what would go (exit code 2).')
    .option('--yes', 'remove it')
    .action(
      withExit((path: string, key: string, options: AttachmentRemovalOptions) =>
        attachmentRm(path, key, options, context),
      ),
    )

  configurable(program.command('explain'))
    .argument('<topic>')
    .argument('[partition]', '0 where nothing is given')
    .argument('[offset]', 'of the message, which is fetched from Kafka without joining the group')
    .description('Say what a message becomes under the rules, and why. Nothing is stored.')
    .option('--message <file>', 'a message as JSON instead: value, key, headers, timestampMs, offset')
    .option('--json', 'as one JSON object')
    .addHelpText(
      'after',
      '\nExamples:\n  sediment explain orders 3 4711 --config config/local.yaml\n  sediment explain orders --message message.json --config new.yaml --json',
    )
    .action(
      withExit(
        (topic: string, partition: string | undefined, offset: string | undefined, options: ExplainOptions) =>
          explain(topic, partition, offset, options, context),
      ),
    )

  configurable(program.command('plan'))
    .description('Say what the rules of a configuration would do to each topic, before it is rolled out.')
    .option('--against <file>', 'the configuration that holds now: what would change')
    .option('--topic <name>', 'a topic beside those that are named or stored; may be repeated', collect)
    .option('--json', 'as one JSON object')
    .addHelpText(
      'after',
      '\nExit codes: 0 ok · 1 topics would meet in one entry\n\nExample:\n  sediment plan --config new.yaml --against config/local.yaml --topic sensor-7',
    )
    .action(withExit((options: PlanOptions) => plan(options, context)))

  const quarantine = program
    .command('quarantine')
    .description(
      'Messages that their rule could not map: kept whole, with why, until a mended rule takes them.',
    )
    .addHelpText(
      'after',
      `
Each is a record of the bucket quarantine, entry TOPIC/PARTITION, at the time of its arrival. A replayed one stays there, marked.

Examples:
  sediment quarantine ls
  sediment quarantine show orders 3 4711
  sediment quarantine replay --config new.yaml             what would become of them
  sediment quarantine replay --config new.yaml --apply`,
    )
  configurable(quarantine.command('ls'))
    .argument('[topic]', 'only this topic')
    .argument('[partition]', 'only this partition')
    .description('Count messages by partition, cause and rule.')
    .option('--cause <cause>', 'only with this cause')
    .option('--messages', 'each message instead of counts')
    .option('--json', 'one JSON object a message')
    .action(
      withExit((topic: string | undefined, partition: string | undefined, options: QuarantineLsOptions) =>
        quarantineLs(topic, partition, options, context),
      ),
    )
  configurable(quarantine.command('show'))
    .argument('<topic>')
    .argument('<partition>')
    .argument('<offset>')
    .description('Show one message as Kafka had it, and why it is here.')
    .option('--json', 'as one JSON object, with the value')
    .option('--payload', 'the value alone, raw')
    .addHelpText('after', '\nExample:\n  sediment quarantine show orders 3 4711 --payload > message.json')
    .action(
      withExit((topic: string, partition: string, offset: string, options: QuarantineShowOptions) =>
        quarantineShow(topic, partition, offset, options, context),
      ),
    )
  configurable(quarantine.command('replay'))
    .argument('[topic]', 'only this topic')
    .argument('[partition]', 'only this partition')
    .description(
      'Map messages again by the rules of now, and store those that can be, each once. Without --apply only say what would become of them.',
    )
    .option('--cause <cause>', 'only those with this cause')
    .option('--apply', 'do it; needs the directory for itself')
    .option('--json', 'as one JSON object')
    .addHelpText(
      'after',
      `
A message keeps the time of its first arrival. One that its rule rejects, holds or filters stays as it is. Ended early – even
by kill -9 – it is run again: what was stored is found, and not stored again.

Exit codes: 0 ok · 1 some stay in quarantine

Example:
  sediment quarantine replay orders --config new.yaml --apply`,
    )
    .action(
      withExit((topic: string | undefined, partition: string | undefined, options: QuarantineReplayOptions) =>
        quarantineReplay(topic, partition, options, context),
      ),
    )

  configurable(program.command('replay'))
    .argument('<topic>')
    .argument('[partition]', 'all where none is given')
    .argument('[range]', 'offsets such as 100..200 (the end exclusive), 100.. or ..200')
    .description(
      'Read a topic again from Kafka and hold every message against the store, byte for byte: key, value, headers, time. Joins no group.',
    )
    .option('--from-time <time>', 'from the first message at or after this time')
    .option(
      '--store-missing',
      'store what the ledger has and the store has not; needs the directory for itself',
    )
    .option(
      '--removed-too',
      'with --store-missing: also where records were removed or evicted, which come back',
    )
    .option('--json', 'one JSON object a partition')
    .addHelpText(
      'after',
      `${TIMES}

Looks at offsets below the next one to be read, also while \`sediment run\` writes. What is stored has its own line where Kafka
has it no more. Messages that were removed or evicted on purpose are missing, too. --store-missing maps by the rules of now;
ended early, it is run again.

Exit codes: 0 everything that Kafka holds there is stored, or in a gap with a reason · 1 some are missing · 6 some are
different, or stored twice

Examples:
  sediment replay orders --config config/local.yaml
  sediment replay orders 3 100..200 --json
  sediment replay orders --from-time 1d --store-missing`,
    )
    .action(
      withExit(
        (
          topic: string,
          partition: string | undefined,
          range: string | undefined,
          options: ReplayCommandOptions,
        ) => replay(topic, partition, range, options, context),
      ),
    )

  configurable(program.command('gaps'))
    .argument('[topic]', 'only this topic')
    .description('List offsets that are not stored, by partition and class, and partitions that are held.')
    .option('--ranges', 'each range instead of counts, also those that lie in .sediment/gaps')
    .option('--former', 'what partitions were before their offsets began anew, by `sediment offsets accept`')
    .option('--json', 'one JSON object a line: all that is known of a partition, with all its ranges')
    .addHelpText(
      'after',
      '\nExamples:\n  sediment gaps\n  sediment gaps orders --ranges\n  sediment gaps orders --former\n  sediment gaps --json | jq .gapOffsets',
    )
    .action(withExit((topic: string | undefined, options: GapsOptions) => gaps(topic, options, context)))
  acceptable(program.command('gap').description('Accept that offsets are lost.'))
    .description(
      'Go on behind offsets that were deleted before they were read, or whose record batch is damaged or too large and lies in quarantine; they become a recorded gap.',
    )
    .addHelpText('after', '\nExample:\n  sediment gap accept orders 0 --apply')
    .action(
      withExit((topic: string, partition: string, options: AcceptOptions) =>
        accept('gap', topic, partition, options, context),
      ),
    )
  acceptable(program.command('offsets').description('Accept that offsets are others now.'))
    .description(
      'Go on with a partition whose topic was made again, whose log was cut, or of which the ledger knows too little.',
    )
    .addHelpText('after', '\nExample:\n  sediment offsets accept orders 0 --apply')
    .action(
      withExit((topic: string, partition: string, options: AcceptOptions) =>
        accept('offsets', topic, partition, options, context),
      ),
    )

  const config = program.command('config').description('Check or show the configuration.')
  configurable(config.command('check'))
    .description('Say everything that is wrong with the configuration, or that nothing is.')
    .addHelpText('after', '\nExample:\n  sediment config check --config config/local.yaml')
    .action(withExit((options: ConfigurationOptions) => configCheck(options, context)))
  configurable(config.command('show'))
    .description('Show every setting and where it comes from; secrets are masked.')
    .option('--json', 'as one JSON object')
    .addHelpText(
      'after',
      '\nExample:\n  sediment config show --config config/local.yaml --set log.level=debug',
    )
    .action(withExit((options: ConfigShowOptions) => configShow(options, context)))

  return program
}

function configurable(command: Command) {
  return command
    .option('--config <file>', 'configuration file (YAML)')
    .option('--set <key=value>', 'one setting, such as --set log.level=debug; may be repeated', collect)
    .option('--data <path>', 'data directory; the same as --set dataPath=PATH')
}

function acceptable(command: Command) {
  return configurable(command.command('accept'))
    .argument('<topic>')
    .argument('<partition>')
    .option('--apply', 'do it; otherwise only say what it means. Needs the directory for itself')
}

function withBucketSettings(command: Command) {
  return command
    .option('--quota <quota>', 'none, fifo:SIZE (the oldest blocks go) or hard:SIZE (more is refused)')
    .option('--block-bytes <size>', 'size of a block')
    .option('--block-records <count>', 'records in a block')
}

function collect(value: string, collected: readonly string[] = []): string[] {
  return [...collected, value]
}
