import { randomUUID } from 'node:crypto'
import { built } from '../../bench/built.ts'
import { checkSettled } from '../../support/independent/settled-check.ts'
import { nodeFiles } from '../../support/independent/files.ts'
import { checkStockFiles } from '../judge.ts'
import type { RandomTopic } from '../messages.ts'
import { OffsetsCompanion } from '../offsets-companion.ts'
import { SimulationFailure } from '../store-process.ts'
import { workloadOptions, workloadTopic, type LifeOrder } from './workload.ts'

/**
 * Opens what a life has left, closes it in peace, and reads it by a reader that shares nothing with the engine: every
 * record below `promised` is there, none above what the store says of itself, each once, with its content.
 *
 * @returns the next offsets that the store has
 * @throws {SimulationFailure}
 */
export async function judgeDirectory(
  { dataPath, seed }: LifeOrder,
  promised: readonly number[] | undefined,
): Promise<readonly number[]> {
  const { NodeFileSystem } = await built('fs/node/node-file-system')
  const { systemClock } = await built('fs/system-clock')
  const { Storage } = await built('storage/index')
  const options = workloadOptions(seed)
  const companion = new OffsetsCompanion(options.partitions)
  const fs = await NodeFileSystem.open()
  try {
    const storage = await Storage.open({
      dataPath,
      fs,
      clock: systemClock,
      randomUuid: randomUUID,
      companion,
      limits: options.limits,
      bucketSettings: () => options.blocks,
    })
    await storage.close()
  } catch (error) {
    throw new SimulationFailure(`it does not open: ${String(error)}`, { cause: error })
  } finally {
    await fs.close()
  }
  const [contradiction] = companion.contradictions
  if (contradiction !== undefined) throw new SimulationFailure(contradiction)
  const { next } = companion.progress
  for (const [partition, offset] of (promised ?? []).entries()) {
    if ((next[partition] as number) < offset)
      throw new SimulationFailure(`partition ${partition} is at ${next[partition]}, ${offset} was promised`)
  }
  const files = nodeFiles(dataPath)
  const topic = topicOf(seed)
  // It knows the messages that it was asked for.
  for (const [partition, offset] of next.entries()) topic.at(partition, offset)
  checkStockFiles(files, topic, { floor: next, ceiling: next })
  const [violation] = checkSettled(files)
  if (violation !== undefined)
    throw new SimulationFailure(`settled: ${violation.invariant} ${violation.path}: ${violation.what}`)
  return next
}

let last: { seed: number; topic: RandomTopic } | undefined

/** Making its messages takes longer than reading them. */
function topicOf(seed: number): RandomTopic {
  if (last?.seed !== seed) last = { seed, topic: workloadTopic(seed) }
  return last.topic
}
