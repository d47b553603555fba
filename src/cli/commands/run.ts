import { App } from '../../app/app.ts'
import { collectOnce } from '../../base/first-collection.ts'
import type { Settings } from '../../config/settings.ts'
import { NodeFileSystem } from '../../fs/node/node-file-system.ts'
import { systemClock } from '../../fs/system-clock.ts'
import { createLogger, type RootLogger } from '../../logging/logger.ts'
import { CatchUpWatch } from '../catch-up-watch.ts'
import { loadConfiguration, type ConfigurationOptions } from '../configuration.ts'
import type { Context } from '../context.ts'
import { createDeadLetters, createSource } from '../kafka-source.ts'
import { progressText, type RunSample } from '../run-progress.ts'

const PROGRESS_MS = 500

export interface RunOptions extends ConfigurationOptions {
  /** Ends by itself once everything that Kafka holds at the start is durable. */
  readonly untilCaughtUp?: boolean
}

/** Consumes until it is told to stop, has caught up when it is to, or must end. @throws why it must end */
export async function run(options: RunOptions, context: Context): Promise<void> {
  collectOnce()
  const { settings } = loadConfiguration(options, context)
  const logger = createRunLogger(settings, context)
  const log = logger.child('cli')
  const app = new App(settings, {
    version: context.version,
    clock: systemClock,
    logger: (room) => logger.child(room),
    openFileSystem: (observer) => NodeFileSystem.open({ observer }),
    createSource: () => createSource(settings, context.env, systemClock, logger.child('kafka')),
    createDeadLetters: () =>
      createDeadLetters(settings.kafka, context.env, systemClock, logger.child('dead-letters')),
  })
  const stopped = new Promise<string>((resolve) => context.onStop(resolve))
  const catchUp = options.untilCaughtUp === true ? new CatchUpWatch(app, systemClock, log) : undefined
  const ended = new AbortController()
  const caughtUp = catchUp?.done(ended.signal).then(() => 'caught up')
  caughtUp?.catch(() => {})
  const progress = showProgress(app, context, () => catchUp?.text ?? '')
  try {
    const opened = app.open().then(() => {
      if (app.status().phase === 'running') log.info({}, 'running')
    })
    // Stopping while opening is normal: whatever comes first decides.
    const first = await Promise.race([opened.then(() => undefined), stopped])
    const ending = first ?? (await Promise.race([app.ended, stopped, ...(caughtUp ? [caughtUp] : [])]))
    if (ending instanceof Error) throw ending
    log.info({ reason: ending, deadlineMs: settings.shutdown.deadlineMs }, 'stopping')
    await app.close()
  } catch (error) {
    await app.close().catch((closing: unknown) => {
      if (closing !== error) log.debug({ error: closing }, 'closing failed as well')
    })
    throw error
  } finally {
    ended.abort()
    clearInterval(progress)
    context.progress.clear()
  }
}

/** On a terminal: text for people, above the progress line. Elsewhere: as configured. Both on standard error. */
function createRunLogger({ log }: Settings, { progress, note }: Context): RootLogger {
  return createLogger({
    level: log.level,
    format: progress.isShown ? 'text' : log.format,
    write(line) {
      progress.clear()
      note(line.replace(/\n$/, ''))
    },
  })
}

function showProgress(app: App, { progress }: Context, more: () => string): NodeJS.Timeout | undefined {
  if (!progress.isShown) return undefined
  const look = (): RunSample => ({ atMs: systemClock.monotonicMs(), status: app.status() })
  let previous = look()
  return setInterval(() => {
    const current = look()
    progress.show([progressText(previous, current), more()].filter((text) => text !== '').join('  '))
    previous = current
  }, PROGRESS_MS)
}
