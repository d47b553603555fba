import { defaultRule } from '../mapping/default-rule.ts'
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
      bucket: ${defaultRule.bucket}
      # Also {key} and {header:NAME}. No two topics may meet in one entry.
      entry: '${defaultRule.entry}'
      contentType: ${defaultRule.contentType}
      labels:
        # The same for every record, such as { site: berlin }.
        constants: {}
        # Headers that become labels, by name or all of them.
        headers: ['*']
        # Whether the key becomes the label \`key\`. It is kept exactly either way, as are all headers.
        key: ${defaultRule.labels.key}
      timestamp:
        # Times before this, and times this far ahead of the arrival, are replaced by the arrival.
        minMs: ${defaultRule.timestamp.minMs}
        aheadMsMax: 1d
      # Of the bucket when it is made; one that is there keeps its settings, see \`sediment bucket set\`. Of rules with the
      # same bucket the first that says something counts. Nothing here: no quota, blocks as \`storage.bucket\` says.
      limits:
        # fifo:SIZE lets the oldest blocks go, hard:SIZE refuses: the partition then waits (reason \`quota\`).
        quota:
        blockBytesMax:
        blockRecordsMax:
\`\`\`

Topics that no rule names get a rule of just these defaults.`

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
