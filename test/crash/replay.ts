import { Coverage } from './coverage.ts'
import { chooseOptions } from './options.ts'
import { simulate } from './simulation.ts'

// One seed, with everything it decided and everything that happened in its main line.
const seed = Number(process.argv[2])
console.log(JSON.stringify(chooseOptions(seed), null, 2))
try {
  await simulate(seed, new Coverage(), (line) => console.log(line))
  console.log(`seed ${seed} holds`)
} catch (error) {
  console.log(error)
  process.exitCode = 1
}
