/**
 * Apache Kafka from its Maven Central jars: broker and command line tools, cached outside the checkout.
 * Needs `java` (17 or newer) always and `mvn` once.
 */
import { execFile, spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdir, readdir, rename, rm, writeFile } from 'node:fs/promises'
import { homedir } from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

const LOG4J = [
  ['org.apache.logging.log4j', 'log4j-core', '2.25.1'],
  ['org.apache.logging.log4j', 'log4j-slf4j-impl', '2.25.1'],
]
const RELOAD4J = [['org.slf4j', 'slf4j-reload4j', '1.7.36']]

/** What a broker without Connect, OAuth and metrics reporters never loads. */
const UNUSED = [
  ['org.apache.kafka', 'connect-runtime'],
  ['org.apache.kafka', 'connect-api'],
  ['org.apache.kafka', 'connect-json'],
  ['com.fasterxml.jackson.dataformat', '*'],
  ['com.fasterxml.jackson.datatype', '*'],
  ['com.fasterxml.jackson.module', '*'],
  ['com.fasterxml.jackson.jakarta.rs', '*'],
  ['commons-beanutils', '*'],
  ['commons-collections', '*'],
  ['commons-digester', '*'],
  ['commons-logging', '*'],
  ['org.bitbucket.b_c', 'jose4j'],
  ['com.dynatrace.hash4j', 'hash4j'],
  ['org.scala-lang', 'scala-reflect'],
]

/** The releases that can be run, with what writes their logs. The first is the default. */
const RELEASES = [
  {
    version: '4.2.0',
    logging: LOG4J,
    logConfiguration: (name) => `-Dlog4j2.configurationFile=${name}-log4j2.properties`,
  },
  {
    version: '3.9.1',
    logging: RELOAD4J,
    logConfiguration: (name) => `-Dlog4j.configuration=file:${name}-log4j.properties`,
  },
]

const here = path.dirname(fileURLToPath(import.meta.url))
const run = promisify(execFile)

/** A prerequisite is missing or did not work; `message` says what to install. */
export class KafkaSetupError extends Error {
  name = 'KafkaSetupError'
}

/** @param {string} wanted a version or the beginning of one: `3.9` @throws {KafkaSetupError} */
function releaseOf(wanted) {
  const release = RELEASES.find(({ version }) => `${version}.`.startsWith(`${wanted}.`))
  if (release !== undefined) return release
  const known = RELEASES.map(({ version }) => version).join(', ')
  throw new KafkaSetupError(`there is no Apache Kafka ${wanted} here, only ${known}`)
}

function cachePath(version) {
  const base = process.env.XDG_CACHE_HOME || path.join(homedir(), '.cache')
  return path.join(base, 'sediment', `kafka-${version}`)
}

function pom({ version: kafkaVersion, logging }) {
  const artifacts = [
    ['org.apache.kafka', 'kafka_2.13', kafkaVersion],
    ['org.apache.kafka', 'kafka-tools', kafkaVersion],
    ...logging,
  ]
  const exclusions = UNUSED.map(
    ([group, name]) => `<exclusion><groupId>${group}</groupId><artifactId>${name}</artifactId></exclusion>`,
  ).join('')
  const dependencies = artifacts
    .map(
      ([group, name, version]) =>
        `<dependency><groupId>${group}</groupId><artifactId>${name}</artifactId><version>${version}</version>` +
        `<exclusions>${exclusions}</exclusions></dependency>`,
    )
    .join('\n')
  return (
    '<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>\n' +
    '<groupId>sediment.dev</groupId><artifactId>local-kafka</artifactId><version>1</version>' +
    `<packaging>pom</packaging>\n<dependencies>\n${dependencies}\n</dependencies></project>\n`
  )
}

/** @returns {Promise<{ command: string, id: string }>} the Java launcher and a short id of its build */
async function findJava() {
  const home = process.env.JAVA_HOME
  const command = home && existsSync(path.join(home, 'bin', 'java')) ? path.join(home, 'bin', 'java') : 'java'
  let banner
  try {
    banner = (await run(command, ['-version'])).stderr
  } catch (error) {
    if (error.code !== 'ENOENT') throw error
    throw new KafkaSetupError('Apache Kafka needs Java 17 or newer: install a JRE, or set JAVA_HOME')
  }
  const major = Number(/version "(\d+)/.exec(banner)?.[1])
  if (major < 17)
    throw new KafkaSetupError(`Apache Kafka needs Java 17 or newer, \`java -version\` says ${major}`)
  return { command, id: createHash('sha256').update(banner).digest('hex').slice(0, 12) }
}

/** Copies the jars into `target`. @throws {KafkaSetupError} */
async function download(release, target, log) {
  await mkdir(target, { recursive: true })
  const pomPath = path.join(target, 'pom.xml')
  await writeFile(pomPath, pom(release))
  const maven = spawn(
    'mvn',
    ['-B', '-f', pomPath, 'dependency:copy-dependencies', `-DoutputDirectory=${path.join(target, 'libs')}`],
    { stdio: ['ignore', 'pipe', 'pipe'] },
  )
  let tail = ''
  let files = 0
  const read = (chunk) => {
    tail = (tail + chunk).slice(-4000)
    files += String(chunk).split('Downloaded from').length - 1
  }
  maven.stdout.on('data', read)
  maven.stderr.on('data', read)
  log(`fetching Apache Kafka ${release.version} from Maven Central (about 40 MB, once)`)
  const ticker = setInterval(() => log(`fetching Apache Kafka: ${files} files so far`), 3000)
  try {
    const code = await new Promise((resolve, reject) => {
      maven.once('error', reject)
      maven.once('close', resolve)
    })
    if (code !== 0) throw new KafkaSetupError(`mvn could not fetch Apache Kafka (exit ${code}):\n${tail}`)
  } catch (error) {
    if (error.code !== 'ENOENT') throw error
    throw new KafkaSetupError('fetching Apache Kafka needs Maven (`mvn`) once: install it, then try again')
  } finally {
    clearInterval(ticker)
  }
}

/**
 * The jars and the Java to run them with; fetched on first use.
 *
 * @param {(line: string) => void} [log] progress of the download
 * @param {string} [version] or the beginning of one; default is what the variable `KAFKA_VERSION` says, else the newest
 * @returns {Promise<{ version: string, java: string, javaId: string, classPath: string, cachePath: string,
 *   loggingOption: (name: 'broker' | 'tool') => string }>}
 * @throws {KafkaSetupError}
 */
export async function kafkaDistribution(
  log = () => {},
  version = process.env.KAFKA_VERSION || RELEASES[0].version,
) {
  const release = releaseOf(version)
  const java = await findJava()
  const cache = cachePath(release.version)
  const libs = path.join(cache, 'libs')
  if (!existsSync(libs)) {
    await mkdir(cache, { recursive: true })
    const building = path.join(cache, `building-${process.pid}`)
    try {
      await download(release, building, log)
      // Another process may have been faster: its jars are as good as ours.
      await rename(path.join(building, 'libs'), libs).catch((error) => {
        if (!existsSync(libs)) throw error
      })
    } finally {
      await rm(building, { recursive: true, force: true })
    }
  }
  const jars = (await readdir(libs)).filter((name) => name.endsWith('.jar')).sort()
  if (jars.length === 0) throw new KafkaSetupError(`${libs} holds no jars: delete it and try again`)
  return {
    version: release.version,
    java: java.command,
    javaId: java.id,
    classPath: jars.map((name) => path.join(libs, name)).join(path.delimiter),
    cachePath: cache,
    loggingOption: (name) => release.logConfiguration(path.join(here, name)),
  }
}
