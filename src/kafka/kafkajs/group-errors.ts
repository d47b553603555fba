import { SourceError } from '../source.ts'
import { causes, errorName, errorType, KafkaJSError } from './internals.ts'

/** These end a membership: what a commit under it wanted does not count any more. */
const MEMBERSHIP_OVER: ReadonlySet<string> = new Set([
  'ILLEGAL_GENERATION',
  'UNKNOWN_MEMBER_ID',
  'REBALANCE_IN_PROGRESS',
  'FENCED_INSTANCE_ID',
])
/** These the coordinator answers a heartbeat with when the group must be joined anew. */
const REJOIN: ReadonlySet<string> = new Set([...MEMBERSHIP_OVER, 'NOT_COORDINATOR_FOR_GROUP'])
const CONNECTION_TROUBLE: ReadonlySet<string> = new Set([
  'KafkaJSConnectionError',
  'KafkaJSConnectionClosedError',
  'KafkaJSRequestTimeoutError',
  'KafkaJSBrokerNotFound',
  'KafkaJSLockTimeout',
])

/** Whether the broker says that the generation is over. */
export function endsMembership(error: unknown): boolean {
  return MEMBERSHIP_OVER.has(errorType(error))
}

/** Whether a heartbeat was answered with the order to join anew. */
export function asksToRejoin(error: unknown): boolean {
  return REJOIN.has(errorType(error))
}

/** Whether the broker was not reached: it has said nothing about the group. */
export function isConnectionTrouble(error: unknown): boolean {
  return CONNECTION_TROUBLE.has(errorName(error))
}

/** Whether trying again may help: nobody was reached, or whoever answered cannot do it now. */
export function isTransient(error: unknown): boolean {
  return causes(error).some(
    (cause) => isConnectionTrouble(cause) || ('retriable' in cause && cause.retriable === true),
  )
}

/** An answer that trying again does not change: wrong credentials, or no right to the group. */
export function refusalOf(error: unknown): SourceError | undefined {
  if (error instanceof SourceError) return error.code === 'ERR_REFUSED' ? error : undefined
  for (const cause of causes(error)) {
    const why = refusal(cause)
    if (why !== undefined) return new SourceError('ERR_REFUSED', `the broker refuses ${why}`, error)
  }
  return undefined
}

function refusal(error: Error): string | undefined {
  const type = errorType(error)
  if (type === 'UNSUPPORTED_SASL_MECHANISM') {
    return `this way to log in (${error.message}); correct kafka.sasl.mechanism`
  }
  if (type === 'ILLEGAL_SASL_STATE') {
    return `a login, its listener has none (${error.message}); leave kafka.sasl.mechanism empty, or take another port`
  }
  if (error.name === 'KafkaJSSASLAuthenticationError' || type === 'SASL_AUTHENTICATION_FAILED') {
    return `our login: ${error.message}; correct the credentials in kafka.sasl`
  }
  if (type.endsWith('_AUTHORIZATION_FAILED')) {
    return `us: ${error.message}; give the user of kafka.sasl, or of the client certificate, the right to it`
  }
  return undefined
}

/** What kafkajs takes for the broker's word that the group must be joined anew. */
export function rejoinError(): Error {
  return Object.assign(new KafkaJSError('the group must be joined anew', { retriable: true }), {
    type: 'REBALANCE_IN_PROGRESS',
  })
}
