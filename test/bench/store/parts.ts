import type { BenchContext } from '../context.ts'
import { checkpoint } from './checkpoint.ts'
import type { PartResult } from './figure.ts'
import { growth } from './growth.ts'
import { hardTimes } from './hard-times.ts'
import { late } from './late.ts'
import { manyEntries } from './many-entries.ts'
import { pointRead } from './point-read.ts'
import { reopen } from './reopen.ts'
import { scan } from './scan.ts'
import type { StepsName } from './step-process.ts'

/** Every part that needs no broker, by its name on the command line. */
export const storeParts: Readonly<Record<StepsName, (context: BenchContext) => Promise<PartResult>>> = {
  growth,
  'point-read': pointRead,
  scan,
  reopen,
  'many-entries': manyEntries,
  checkpoint,
  late,
  'hard-times': hardTimes,
}

export const storePartNames = Object.keys(storeParts) as StepsName[]
