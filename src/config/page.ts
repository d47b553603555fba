import { defaultRule } from '../mapping/default-rule.ts'
import { timeSourceName } from '../mapping/time-policy.ts'
import { schemaKeys, type ConfigKey } from './schema.ts'

/** The text of CONFIGURATION.md: every key, its default, its variable and what it may be. */
export function renderConfigurationPage(): string {
  const keys = schemaKeys()
  const sectionNames = [...new Set(keys.map(sectionOf))]
  const sections = sectionNames.map((name) =>
    [`## ${name}`, ...keys.filter((key) => sectionOf(key) === name).map(renderKey)].join('\n\n'),
  )
  return `${[head, ...sections, ruleSection].join('\n\n')}\n`
}

const head = `# Configuration

Made from \`src/config/schema.ts\` by \`node dev/write-configuration.mjs\`; a test keeps the two in step.

A value comes from its default, then from the file (\`--config\`, YAML), then from its variable, then from
\`--set key=value\`; the last one counts. A key that does not exist is refused everywhere, and every mistake is reported
at once. Variables beginning with \`SEDIMENT_SERVICE_\` or \`SEDIMENT_PORT\` are those that Kubernetes makes and are
ignored. \`sediment config check\` tells what is wrong, \`sediment config show\` what holds and where it comes from.

Lists are written with commas in variables and flags. Sizes are bytes or carry a unit (\`8MiB\`, \`64MB\`), durations are
milliseconds or carry one (\`500ms\`, \`30s\`, \`5m\`, \`1h\`, \`2d\`). An empty text stands for "not set" where a key has no
default.`

const ruleSection = `## Mapping rules

A rule in YAML, with the defaults of everything but \`topics\`:

\`\`\`yaml
mapping:
  rules:
    # Names, or regular expressions that may match anywhere in a name.
    - topics: [orders, '/^sensor-/']
      exclude: []
      # Both may name {topic}, {partition}, {key}, {header:NAME}, {json:/pointer}, and of the record's time in UTC {yyyy},
      # {MM}, {dd}, {HH}. What is missing is empty, what a name cannot have becomes _. Topics that must meet in one entry are
      # refused; where messages decide, the partition whose message comes second to an entry is held (entry-conflict).
      bucket: ${defaultRule.bucket}
      entry: '${defaultRule.entry}'
      # For names with keys, headers, JSON fields or times: how many entries there may be by this rule, those that the data
      # directory has included. A message that needs one more goes to quarantine, or its partition is held: hold.
      entries:
        max: ${defaultRule.entries.max}
        beyond: ${defaultRule.entries.beyond}
      # All must pass, else the message is not stored (gap filtered): one of header: NAME, json: /pointer, key: true with one
      # of equals: [a, b], exists: true, matches: '^a-\\d+$', and not: true for the opposite.
      filters: []
      # Messages without a value: store (label kafka-value=null), skip (gap filtered), quarantine.
      tombstones: ${defaultRule.tombstones}
      # Larger values go to quarantine. Nothing: none are too large.
      contentBytesMax:
      contentType: ${defaultRule.contentType}
      labels:
        # The same for every record, such as { site: berlin }.
        constants: {}
        # Headers that become labels, by name or all of them.
        headers: ['*']
        # Whether the key becomes the label \`key\`. It is kept exactly either way, as are all headers.
        key: ${defaultRule.labels.key}
        # Labels from the JSON value, such as { device: /device/id }: text, number, true or false. What a label cannot have
        # becomes _, more than 1024 characters are cut; null, maps and lists are no label.
        json: {}
        # Most values of one label in a partition, since the process began; for key, headers and json. Other values are kept,
        # but not as this label, and kafka-limited names it. Nothing: any number; labels are not indexed.
        valuesMax:
      timestamp:
        # The first source with a time within the bounds counts: record, arrival, or a field with its format, such as
        # { header: time, format: iso }, { json: /meta/ts, format: us }. Formats: s, ms, us, ns (decimals allowed), iso (with a
        # zone), iso-utc (without one it is UTC). Exact to the microsecond. Without arrival at the end, a message that has no
        # time goes to quarantine. What was taken instead of the record's time is the label ts_source.
        sources: [${defaultRule.timestamp.sources.map(timeSourceName).join(', ')}]
        # The bounds: not before this, and not more ahead of the arrival than that.
        minMs: ${defaultRule.timestamp.minMs}
        aheadMsMax: 1d
        # A time outside: next (the next source counts), quarantine, or hold: as next, but while every message of a fetched
        # batch is ahead the partition is held, for it may be the clock here that is wrong.
        outside: ${defaultRule.timestamp.outside}
      # Of the bucket when it is made; one that is there keeps its settings, see \`sediment bucket set\`. Of rules with the
      # same bucket the first that says something counts. Nothing here: no quota, blocks as \`storage.bucket\` says.
      limits:
        # fifo:SIZE lets the oldest blocks go, hard:SIZE refuses: the partition then waits (reason \`quota\`).
        quota:
        blockBytesMax:
        blockRecordsMax:
\`\`\`

Topics that no rule names get a rule of just these defaults.

Patterns of \`matches\` are JavaScript's without back references, looking around and flags; they match anywhere and take
time in proportion to the text. Keys, headers and JSON strings of more than 4096 characters are there, but equal nothing and
match nothing. JSON pointers are those of RFC 6901; a value is parsed at most once, and only where the rule asks for a field.
A value that is no JSON, has more than 1 MiB or is nested more than 128 deep cannot be read: as a source of the time it is
passed over, as a label it is left off, and for a filter or an entry the message goes to quarantine.

\`sediment explain\` shows what a rule makes of a message and why, \`sediment plan\` what a change of the rules would do.`

function sectionOf({ key }: ConfigKey): string {
  const dot = key.indexOf('.')
  return dot === -1 ? 'General' : key.slice(0, dot)
}

function renderKey({ key, variable, format, default: value, doc, isSecret }: ConfigKey): string {
  const shown = format.show(value)
  const lines = [
    `### \`${key}\``,
    doc,
    [
      `- Default: ${shown === '' ? 'none' : `\`${shown}\``}`,
      `- Variable: \`${variable}\``,
      `- Allowed: ${format.allowed.replace(/[{}*_]/g, '\\$&')}${isSecret ? '. Secret: never shown' : ''}`,
    ].join('\n'),
  ]
  return lines.join('\n\n')
}
